/**
 * Tells readers at once about a run's events, about activities, and about runs to claim and to cancel. News comes over
 * the bus. A reader that misses a number, or has heard nothing for a while, looks at the table. Called by `engine.ts`.
 */
import type { JournalEvent } from "../../core/event.ts";
import type { AttributedActivity, Follower, OwnerSignals, RunListener } from "../engine.ts";
import { toAttributed, type ActivityRow } from "../rules/rows.ts";
import { tellDeleted } from "../rules/told.ts";
import type { Bus, BusMessage } from "./bus.ts";
import { LEASE_CLOCK } from "./clock.ts";
import type { Database } from "./database.ts";
import { FollowedRun } from "./followed-run.ts";
import { ACTIVITIES_CHANNEL, eventChannel, linesOf, OWNERS_CHANNEL, WORK } from "./payload.ts";

/**
 * A run is looked at when the bus was silent about it from one look to the next, so an event that the bus has lost is
 * found after two looks at most. That has to be less than a second.
 */
const LOOK_MS = 400;
/** Rows of one read; a full batch is followed by another read. */
const BATCH_ROWS = 1_000;

type OnActivities = (activities: readonly AttributedActivity[]) => void;

interface WatchingOwner extends OwnerSignals {
  readonly key: string;
}

const POSITIONS = "SELECT n, last_seq FROM runs WHERE n = ANY($1::bigint[])";
const EVENTS = "SELECT seq, type, data FROM events WHERE run_n = $1 AND seq > $2 ORDER BY seq LIMIT $3::integer";
const ACTIVITIES = "SELECT * FROM activities WHERE seq > $1 ORDER BY seq LIMIT $2::integer";
/** One row for each run to cancel, and one row without an id when there is a run to claim. */
const SIGNALS =
  "SELECT owner, id FROM runs WHERE owner = ANY($1::text[]) AND cancel_requested = 1 AND status = 'running' UNION ALL SELECT NULL, NULL WHERE " +
  "EXISTS (SELECT 1 FROM runs WHERE status = 'queued' AND head = 1 AND parent_id IS NULL) OR " +
  "EXISTS (SELECT 1 FROM runs WHERE status = 'queued' AND head = 1 AND parent_id IS NOT NULL) OR " +
  `EXISTS (SELECT 1 FROM runs WHERE status = 'running' AND lease_until < ${LEASE_CLOCK})`;

export class Followers {
  readonly #database: Database;
  readonly #bus: Bus;
  // Bounded by the viewers of a worker, and by the delegated runs that an agent process waits for.
  readonly #byRun = new Map<number, FollowedRun>();
  readonly #onActivities = new Set<OnActivities>();
  readonly #owners = new Set<WatchingOwner>();
  readonly #activities = new Looker(() => this.#deliverActivities());
  readonly #signals = new Looker(() => this.#signal());
  #activitySeq = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(database: Database, bus: Bus) {
    this.#database = database;
    this.#bus = bus;
  }

  async run(runId: string, listener: RunListener): Promise<Follower> {
    const [row] = await this.#database.query<{ n: number }>("SELECT n FROM runs WHERE id = $1", [runId]);
    if (!row) return tellDeleted(listener);
    const followed = this.#byRun.get(row.n) ?? this.#follow(row.n);
    const stop = followed.add({ ...listener }, () => this.#byRun.delete(row.n));
    try {
      await followed.ready;
      this.#start();
      return { stop };
    } catch (error) {
      stop();
      throw error;
    }
  }

  #follow(n: number): FollowedRun {
    const followed = new FollowedRun({
      begin: async () => {
        await this.#bus.listen(eventChannel(n));
        const [row] = await this.#database.query<{ last_seq: number }>(POSITIONS, [[n]]);
        return row?.last_seq ?? null;
      },
      read: (after) => this.#database.query<JournalEvent>(EVENTS, [n, after, BATCH_ROWS]),
    });
    this.#byRun.set(n, followed);
    return followed;
  }

  async activities(onActivities: OnActivities): Promise<Follower> {
    await this.#bus.listen(ACTIVITIES_CHANNEL);
    if (this.#onActivities.size === 0) {
      const [row] = await this.#database.query<{ last: number }>(
        "SELECT coalesce(max(seq), 0) AS last FROM activities",
      );
      this.#activitySeq = Math.max(this.#activitySeq, row?.last ?? 0);
    }
    return this.#add(this.#onActivities, (activities) => onActivities(activities));
  }

  async owner(key: string, signals: OwnerSignals): Promise<Follower> {
    await this.#bus.listen(OWNERS_CHANNEL);
    const follower = this.#add(this.#owners, { ...signals, key });
    // The first look signals what is there already.
    this.#signals.look();
    return follower;
  }

  /** Called by the bus. */
  hear({ channel, payload }: BusMessage): void {
    if (this.#stopped) return;
    if (channel === ACTIVITIES_CHANNEL) this.#activities.look();
    else if (channel === OWNERS_CHANNEL) this.#hearOwners(payload.split("\n"));
    else this.#hearEvents(payload);
  }

  /** Called by the bus when it is back after a break. */
  lookAtAll(): void {
    this.#activities.look();
    this.#signals.look();
    this.#lookAtRuns([...this.#byRun]);
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
    for (const followed of this.#byRun.values()) followed.stop();
    this.#byRun.clear();
    this.#onActivities.clear();
    this.#owners.clear();
  }

  #hearEvents(payload: string): void {
    let batch: JournalEvent[] = [];
    let current: FollowedRun | undefined;
    const flush = () => {
      if (current && batch.length > 0) current.take(batch);
      batch = [];
    };
    for (const { n, seq, event } of linesOf(payload, (number) => this.#byRun.has(number))) {
      const followed = this.#byRun.get(n);
      if (followed !== current || !event) flush();
      current = followed;
      if (event) batch.push(event);
      else if (seq === undefined) this.#deleted(n);
      else followed?.look();
    }
    flush();
  }

  #deleted(n: number): void {
    this.#byRun.get(n)?.deleted();
    this.#byRun.delete(n);
  }

  #hearOwners(lines: readonly string[]): void {
    const isForUs = lines.some((line) => line === WORK || [...this.#owners].some(({ key }) => key === line));
    if (isForUs) this.#signals.look();
  }

  #add<T>(listeners: Set<T>, listener: T): Follower {
    if (!this.#stopped) listeners.add(listener);
    this.#start();
    return { stop: () => void listeners.delete(listener) };
  }

  #start(): void {
    if (this.#stopped) return;
    this.#timer ??= setInterval(() => this.#lookAround(), LOOK_MS);
  }

  #lookAround(): void {
    if (this.#byRun.size + this.#onActivities.size + this.#owners.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    if (this.#onActivities.size > 0) this.#activities.look();
    if (this.#owners.size > 0) this.#signals.look();
    this.#lookAtRuns([...this.#byRun].filter(([, followed]) => followed.wasQuiet()));
  }

  #lookAtRuns(runs: readonly (readonly [number, FollowedRun])[]): void {
    // The database is away: the next look finds what is there.
    if (runs.length > 0) this.#readPositions(runs).catch(() => {});
  }

  async #readPositions(runs: readonly (readonly [number, FollowedRun])[]): Promise<void> {
    const rows = await this.#database.query<{ n: number; last_seq: number }>(POSITIONS, [runs.map(([n]) => n)]);
    const positions = new Map(rows.map(({ n, last_seq: last }) => [n, last]));
    for (const [n, followed] of runs) {
      const last = positions.get(n);
      if (last === undefined) this.#deleted(n);
      else if (last > followed.position) followed.look();
    }
  }

  async #deliverActivities(): Promise<boolean> {
    if (this.#onActivities.size === 0) return false;
    const rows = await this.#database.query<ActivityRow>(ACTIVITIES, [this.#activitySeq, BATCH_ROWS]);
    const last = rows.at(-1);
    if (!last || last.seq <= this.#activitySeq) return false;
    this.#activitySeq = last.seq;
    const activities = rows.map(toAttributed);
    for (const onActivities of this.#onActivities) onActivities(activities);
    return rows.length === BATCH_ROWS;
  }

  async #signal(): Promise<boolean> {
    const owners = [...this.#owners];
    if (owners.length === 0) return false;
    const rows = await this.#database.query<{ owner: string | null; id: string | null }>(SIGNALS, [
      owners.map(({ key }) => key),
    ]);
    for (const owner of owners) {
      if (!this.#owners.has(owner)) continue;
      const canceled = rows.flatMap(({ owner: key, id }) => (key === owner.key && id !== null ? id : []));
      if (canceled.length > 0) owner.onCancel(canceled);
      if (rows.some(({ id }) => id === null)) owner.onWork();
    }
    return false;
  }
}

/** Does one look at a time. A look that is asked for meanwhile follows behind it. */
class Looker {
  readonly #look: () => Promise<boolean>;
  #isLooking = false;
  #again = false;

  /** @param look returns whether there is more to read */
  constructor(look: () => Promise<boolean>) {
    this.#look = look;
  }

  look(): void {
    this.#again = true;
    if (!this.#isLooking) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isLooking = true;
    while (this.#again) {
      this.#again = false;
      try {
        if (await this.#look()) this.#again = true;
      } catch {
        // The database is away: the next look finds what is there.
      }
    }
    this.#isLooking = false;
  }
}
