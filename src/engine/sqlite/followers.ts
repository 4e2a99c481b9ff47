/**
 * Readers without a bus: each process reads all new rows of the runs that it follows in one statement, and hands them
 * to their followers. `PRAGMA data_version` says whether anything else changed. Called by `engine.ts`.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { JournalEvent, RunEventType } from "../../core/event.ts";
import type { Follower, AttributedActivity, OwnerSignals, RunListener } from "../engine.ts";
import { LEASE_CLOCK } from "./clock.ts";
import { isSqliteError } from "./connection.ts";
import { Pulse, type LookResult } from "./pulse.ts";
import { toAttributed, type ActivityRow } from "../rules/rows.ts";
import { tellDeleted } from "../rules/told.ts";
import { LIMIT } from "./sql.ts";

// Rows of one look. The rest waits for the next tick of the event loop, so that a burst stalls nobody.
const BATCH_ROWS = 1_000;
const FEW_RUNS = 4;
const EAGER_MS = 3;
const BUSY_MS = 10;

type OnActivities = (activities: readonly AttributedActivity[]) => void;

interface WatchingOwner extends OwnerSignals {
  readonly key: string;
}

/** Pass a connection that never writes: `PRAGMA data_version` changes only after commits of other connections. */
export class Followers {
  readonly #sql: ReturnType<typeof statements>;
  // Bounded by the viewers of a worker, and by the delegated runs that an agent process waits for.
  readonly #byRun = new Map<number, Set<RunListener>>();
  readonly #onActivities = new Set<OnActivities>();
  readonly #owners = new Set<WatchingOwner>();
  readonly #pulse: Pulse;
  #version = -1;
  #eventPos = 0;
  #removal = 0;
  #activitySeq = 0;

  constructor(db: DatabaseSync, walPath: string) {
    this.#sql = statements(db);
    this.#pulse = new Pulse(walPath, { look: () => this.#look(), pollMs: () => this.#pollMs() });
  }

  run(runId: string, listener: RunListener): Follower {
    const row = this.#sql.runNumber.get(runId) as { n: number } | undefined;
    if (!row) return tellDeleted(listener);
    if (this.#byRun.size === 0) {
      this.#eventPos = this.#lastOf(this.#sql.lastEvent);
      this.#removal = this.#lastOf(this.#sql.lastRemoval);
    }
    const listeners = this.#byRun.get(row.n) ?? new Set();
    this.#byRun.set(row.n, listeners);
    this.#sql.addFollowed.run(row.n);
    return this.#add(listeners, { ...listener }, () => {
      if (listeners.size > 0) return;
      this.#byRun.delete(row.n);
      this.#sql.removeFollowed.run(row.n);
    });
  }

  activities(onActivities: OnActivities): Follower {
    if (this.#onActivities.size === 0) this.#activitySeq = this.#lastOf(this.#sql.lastActivity);
    return this.#add(this.#onActivities, (activities) => onActivities(activities));
  }

  owner(key: string, signals: OwnerSignals): Follower {
    // The next look signals what is there already.
    this.#version = -1;
    return this.#add(this.#owners, { ...signals, key });
  }

  /** True when any other connection has committed since the last call. */
  #changed(): boolean {
    const { data_version: version } = this.#sql.dataVersion.get() as { data_version: number };
    const changed = version !== this.#version;
    this.#version = version;
    return changed;
  }

  stop(): void {
    this.#pulse.stop();
    // After this, `stop` of a single follower finds its set empty and does not touch the closed database.
    for (const listeners of this.#byRun.values()) listeners.clear();
    this.#byRun.clear();
    this.#onActivities.clear();
    this.#owners.clear();
  }

  /**
   * Each follower has a listener object of its own: stopping a follower twice, or one of two equal ones, stops no
   * other.
   */
  #add<T>(listeners: Set<T>, listener: T, onRemoved = () => {}): Follower {
    listeners.add(listener);
    this.#pulse.start();
    return {
      stop: () => {
        if (!listeners.delete(listener)) return;
        onRemoved();
        if (this.#idle()) this.#pulse.stop();
      },
    };
  }

  #idle(): boolean {
    return this.#byRun.size + this.#onActivities.size + this.#owners.size === 0;
  }

  /**
   * A look costs about as much as handing on three frames. So a process that follows many runs looks less often, and
   * finds more at once. [With 10 ms always, requests that came one after the other waited 5 ms more for their first
   * token; with 12 ms instead of 6 for many runs, workers took a fifth less CPU, and were no later with /health.]
   */
  #pollMs(): number {
    const runs = this.#byRun.size;
    if (runs > 0 && runs <= FEW_RUNS) return EAGER_MS;
    for (const { isEager } of this.#owners) if (isEager?.()) return EAGER_MS;
    return BUSY_MS;
  }

  #look(): LookResult {
    try {
      // Read everything in one statement: SQLite takes its read lock once per statement, and that costs more than the rows.
      const events = this.#byRun.size > 0 ? this.#deliverEvents() : "quiet";
      const others = this.#onActivities.size + this.#owners.size > 0 ? this.#deliverOthers() : "quiet";
      return MOST_URGENT_FIRST.find((result) => result === events || result === others) ?? "quiet";
    } catch (error) {
      // A failing disk must not end the process: rows that were not read now are read when the disk works again.
      if (!isSqliteError(error)) throw error;
      this.#version = -1;
      return "trouble";
    }
  }

  #deliverEvents(): LookResult {
    const from = this.#eventPos;
    const rows = this.#sql.events.all(from, from + BATCH_ROWS) as unknown as EventTuple[];
    const batches = new Map<number, JournalEvent[]>();
    let [last, removal] = [from, this.#removal];
    for (const [run, seq, type, data] of rows) {
      if (run === NEWEST) [last, removal] = [seq, Number(type)];
      else if (batches.has(run)) batches.get(run)?.push({ seq, type, data });
      else batches.set(run, [{ seq, type, data }]);
    }
    this.#eventPos = Math.min(last, from + BATCH_ROWS);
    for (const [run, batch] of batches) for (const { onEvents } of this.#byRun.get(run) ?? []) onEvents(batch);
    if (removal > this.#removal) this.#tellDeleted(removal);
    if (last > this.#eventPos) return "more";
    return last > from ? "changed" : "quiet";
  }

  #tellDeleted(newest: number): void {
    const rows = this.#sql.removedAmongFollowed.all(this.#removal) as { run_n: number }[];
    this.#removal = newest;
    for (const { run_n: run } of rows) for (const { onDeleted } of this.#byRun.get(run) ?? []) onDeleted?.();
  }

  #deliverOthers(): LookResult {
    if (!this.#changed()) return "quiet";
    const more = this.#onActivities.size > 0 && this.#deliverActivities();
    for (const owner of this.#owners) this.#signal(owner);
    if (!more) return "changed";
    // A full batch: more rows are left to read, although nobody may commit any more.
    this.#version = -1;
    return "more";
  }

  #signal({ key, onWork, onCancel }: WatchingOwner): void {
    const rows = this.#sql.signals.all(key) as { id: string | null }[];
    const canceled = rows.flatMap(({ id }) => id ?? []);
    if (canceled.length > 0) onCancel(canceled);
    if (canceled.length < rows.length) onWork();
  }

  #deliverActivities(): boolean {
    const rows = this.#sql.activities.all(this.#activitySeq, BATCH_ROWS) as unknown as ActivityRow[];
    const last = rows.at(-1);
    if (!last) return false;
    this.#activitySeq = last.seq;
    const activities = rows.map(toAttributed);
    for (const onActivities of this.#onActivities) onActivities(activities);
    return rows.length === BATCH_ROWS;
  }

  #lastOf(statement: StatementSync): number {
    return (statement.get() as { last: number | null }).last ?? 0;
  }
}

/** Both looks return a result; the more urgent one decides when the next look comes. */
const MOST_URGENT_FIRST: readonly LookResult[] = ["more", "changed"];

/**
 * Used in place of a run's number, which is never 0: in this row, `seq` is the journal's newest position, `type` that
 * of `removals`.
 */
const NEWEST = 0;

type EventTuple = [run: number, seq: number, type: RunEventType, data: string];

function statements(db: DatabaseSync) {
  // The runs that this process follows, in a table that SQLite can join: rows of other runs never become objects here.
  db.exec("CREATE TEMP TABLE IF NOT EXISTS followed (run_n INTEGER PRIMARY KEY)");
  const events = db.prepare(
    // The + keeps the planner on the range of new rows, instead of searching every followed run's journal.
    "SELECT * FROM (SELECT run_n, seq, type, data FROM events WHERE pos > ? AND pos <= ? " +
      "AND +run_n IN (SELECT run_n FROM temp.followed) ORDER BY pos) " +
      `UNION ALL SELECT ${NEWEST}, coalesce(max(pos), 0), (SELECT coalesce(max(n), 0) FROM removals), '' FROM events`,
  );
  events.setReturnArrays(true);
  return {
    events,
    addFollowed: db.prepare("INSERT OR IGNORE INTO temp.followed (run_n) VALUES (?)"),
    removeFollowed: db.prepare("DELETE FROM temp.followed WHERE run_n = ?"),
    removedAmongFollowed: db.prepare(
      "SELECT run_n FROM removals WHERE n > ? AND run_n IN (SELECT run_n FROM temp.followed)",
    ),
    lastRemoval: db.prepare("SELECT max(n) AS last FROM removals"),
    // One row for each run to cancel, and one row without an id when there is a run to claim.
    signals: db.prepare(
      "SELECT id FROM runs WHERE owner = ? AND cancel_requested = 1 AND status = 'running' UNION ALL SELECT NULL WHERE " +
        "EXISTS (SELECT 1 FROM runs WHERE status = 'queued' AND head = 1) OR " +
        `EXISTS (SELECT 1 FROM runs WHERE status = 'running' AND lease_until < ${LEASE_CLOCK})`,
    ),
    dataVersion: db.prepare("PRAGMA data_version"),
    activities: db.prepare(`SELECT * FROM activities WHERE seq > ? ORDER BY seq ${LIMIT}`),
    lastEvent: db.prepare("SELECT max(pos) AS last FROM events"),
    lastActivity: db.prepare("SELECT max(seq) AS last FROM activities"),
    runNumber: db.prepare("SELECT n FROM runs WHERE id = ?"),
  } satisfies Record<string, StatementSync>;
}
