/**
 * Readers without a bus: each process reads all new rows of the runs it follows in one statement, and hands
 * them to whoever follows. `PRAGMA data_version` says whether anything else changed. Called by `engine.ts`.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Activity } from "../../core/activity.ts";
import type { JournalEvent, RunEventType } from "../../core/event.ts";
import type { Follower } from "../engine.ts";
import { isSqliteError } from "./connection.ts";
import { Pulse, type LookResult } from "./pulse.ts";
import { LIMIT, toActivity, type ActivityRow } from "./rows.ts";

// Rows looked at in one go. What is left waits for the next turn of the loop, so that a burst stalls nobody.
const BATCH_ROWS = 1_000;
const FEW_RUNS = 4;
const EAGER_MS = 3;
const BUSY_MS = 10;

type OnEvents = (events: readonly JournalEvent[]) => void;
type OnActivities = (activities: readonly Activity[]) => void;

interface Changes {
  readonly onChange: () => void;
  readonly isEager: () => boolean;
}

/** The database handle must see other connections' commits only: data_version does not move for its own. */
export class Followers {
  readonly #sql: ReturnType<typeof statements>;
  // Bounded by the viewers of a worker, and by the delegated runs that an agent process waits for.
  readonly #byRun = new Map<number, Set<OnEvents>>();
  readonly #onActivities = new Set<OnActivities>();
  readonly #changes = new Set<Changes>();
  readonly #pulse: Pulse;
  #version = -1;
  #eventPos = 0;
  #activitySeq = 0;

  constructor(db: DatabaseSync, walPath: string) {
    this.#sql = statements(db);
    this.#pulse = new Pulse(walPath, { look: () => this.#look(), pollMs: () => this.#pollMs() });
  }

  run(runId: string, onEvents: OnEvents): Follower {
    const row = this.#sql.runNumber.get(runId) as { n: number } | undefined;
    if (!row) return { stop: () => {} };
    if (this.#byRun.size === 0) this.#eventPos = this.#lastOf(this.#sql.lastEvent);
    const listeners = this.#byRun.get(row.n) ?? new Set();
    this.#byRun.set(row.n, listeners);
    this.#sql.addFollowed.run(row.n);
    return this.#add(
      listeners,
      (events) => onEvents(events),
      () => {
        if (listeners.size > 0) return;
        this.#byRun.delete(row.n);
        this.#sql.removeFollowed.run(row.n);
      },
    );
  }

  activities(onActivities: OnActivities): Follower {
    if (this.#onActivities.size === 0) this.#activitySeq = this.#lastOf(this.#sql.lastActivity);
    return this.#add(this.#onActivities, (activities) => onActivities(activities));
  }

  changes(changes: Changes): Follower {
    return this.#add(this.#changes, { ...changes });
  }

  /** True when anybody committed since this was last asked. */
  #changed(): boolean {
    const { data_version: version } = this.#sql.dataVersion.get() as { data_version: number };
    const changed = version !== this.#version;
    this.#version = version;
    return changed;
  }

  stop(): void {
    this.#pulse.stop();
    // Followers that are stopped later find themselves gone, and touch a closed database no more.
    for (const listeners of this.#byRun.values()) listeners.clear();
    this.#byRun.clear();
    this.#onActivities.clear();
    this.#changes.clear();
  }

  /** Each follower has a listener of its own, so that stopping one twice, or one of two alike, stops no other. */
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
    return this.#byRun.size + this.#onActivities.size + this.#changes.size === 0;
  }

  /**
   * A look costs about as much as handing on three frames, so who has much to do looks less often and finds more at
   * once. [With 10 ms always, requests that came one after the other waited 5 ms more for their first token; with
   * 12 ms instead of 6 for many runs, workers took a fifth less CPU, and were no later with /health.]
   */
  #pollMs(): number {
    const runs = this.#byRun.size;
    if (runs > 0 && runs <= FEW_RUNS) return EAGER_MS;
    for (const { isEager } of this.#changes) if (isEager()) return EAGER_MS;
    return BUSY_MS;
  }

  #look(): LookResult {
    try {
      // Every statement takes and drops SQLite's read lock, which costs more than the reading: one says it all.
      const events = this.#byRun.size > 0 ? this.#deliverEvents() : "quiet";
      const others = this.#onActivities.size + this.#changes.size > 0 ? this.#deliverOthers() : "quiet";
      return SIGHTS.find((sight) => sight === events || sight === others) ?? "quiet";
    } catch (error) {
      // A disk in trouble must not end the process: what was not read now is read when it is well again.
      if (!isSqliteError(error)) throw error;
      this.#version = -1;
      return "trouble";
    }
  }

  #deliverEvents(): LookResult {
    const from = this.#eventPos;
    const rows = this.#sql.events.all(from, from + BATCH_ROWS) as unknown as EventTuple[];
    const batches = new Map<number, JournalEvent[]>();
    let last = from;
    for (const [run, seq, type, data] of rows) {
      if (run === LAST_POSITION) last = seq;
      else if (batches.has(run)) batches.get(run)?.push({ seq, type, data });
      else batches.set(run, [{ seq, type, data }]);
    }
    this.#eventPos = Math.min(last, from + BATCH_ROWS);
    for (const [run, batch] of batches) for (const onEvents of this.#byRun.get(run) ?? []) onEvents(batch);
    if (last > this.#eventPos) return "more";
    return last > from ? "changed" : "quiet";
  }

  #deliverOthers(): LookResult {
    if (!this.#changed()) return "quiet";
    const more = this.#onActivities.size > 0 && this.#deliverActivities();
    for (const { onChange } of this.#changes) onChange();
    if (!more) return "changed";
    // A full batch: there is more to read although nobody commits any more.
    this.#version = -1;
    return "more";
  }

  #deliverActivities(): boolean {
    const rows = this.#sql.activities.all(this.#activitySeq, BATCH_ROWS) as unknown as ActivityRow[];
    const last = rows.at(-1);
    if (!last) return false;
    this.#activitySeq = last.seq;
    const activities = rows.map(toActivity);
    for (const onActivities of this.#onActivities) onActivities(activities);
    return rows.length === BATCH_ROWS;
  }

  #lastOf(statement: StatementSync): number {
    return (statement.get() as { last: number | null }).last ?? 0;
  }
}

// Most urgent first: what either look found decides when the next one comes.
const SIGHTS: readonly LookResult[] = ["more", "changed"];

/** In place of a run's number: this row's seq is the newest position in the journal. No run has number 0. */
const LAST_POSITION = 0;

type EventTuple = [run: number, seq: number, type: RunEventType, data: string];

function statements(db: DatabaseSync) {
  // Which runs this process follows, where SQLite sees it: rows of all others never become objects here.
  db.exec("CREATE TEMP TABLE IF NOT EXISTS followed (run_n INTEGER PRIMARY KEY)");
  const events = db.prepare(
    // The + keeps the planner on the range of new rows, instead of searching every followed run's journal.
    "SELECT * FROM (SELECT run_n, seq, type, data FROM events WHERE pos > ? AND pos <= ? " +
      "AND +run_n IN (SELECT run_n FROM temp.followed) ORDER BY pos) " +
      `UNION ALL SELECT ${LAST_POSITION}, coalesce(max(pos), 0), '', '' FROM events`,
  );
  events.setReturnArrays(true);
  return {
    events,
    addFollowed: db.prepare("INSERT OR IGNORE INTO temp.followed (run_n) VALUES (?)"),
    removeFollowed: db.prepare("DELETE FROM temp.followed WHERE run_n = ?"),
    dataVersion: db.prepare("PRAGMA data_version"),
    activities: db.prepare(`SELECT * FROM activities WHERE seq > ? ORDER BY seq ${LIMIT}`),
    lastEvent: db.prepare("SELECT max(pos) AS last FROM events"),
    lastActivity: db.prepare("SELECT max(seq) AS last FROM activities"),
    runNumber: db.prepare("SELECT n FROM runs WHERE id = ?"),
  } satisfies Record<string, StatementSync>;
}
