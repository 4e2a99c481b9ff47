/**
 * One transaction of the queue. Rows are locked and read first; the events and activities for readers are gathered, and
 * written last, together with the COMMIT. Afterwards the unit knows the news for the bus. Begun by `engine.ts`, used by
 * `queue.ts`.
 */
import { activityOf, withRun, type NewActivity } from "../../core/activity.ts";
import type { JournalEvent, RunEvent } from "../../core/event.ts";
import { usageOf } from "../rules/rows.ts";
import { insertActivities, type ActivityInput } from "./activities.ts";
import type { Database, Finish, Queryable, Statement } from "./database.ts";
import { RUN } from "./sql.ts";
import { about, activityValues, columns, journalRows, type HeldRow } from "./step.ts";

/** The news that a transaction has for other processes once it is committed. */
export interface News {
  readonly events: readonly RunNews[];
  readonly hasActivities: boolean;
  /** There may be a run to claim. */
  readonly hasWork: boolean;
  /** Owners that have a run to cancel. */
  readonly owners: readonly string[];
  /** Numbers of runs that were deleted. */
  readonly deleted: readonly number[];
}

export interface RunNews {
  readonly n: number;
  readonly events: readonly JournalEvent[];
}

const LOCK_THREAD = "SELECT id FROM threads WHERE id = (SELECT thread_id FROM runs WHERE id = $1) FOR UPDATE";
const LOCK_RUN = `SELECT ${RUN} FROM runs WHERE id = $1 FOR UPDATE`;

const INSERT_EVENTS =
  "WITH moved AS (UPDATE runs SET last_seq = m.last_seq FROM unnest($5::bigint[], $6::integer[]) AS m (n, last_seq) WHERE runs.n = m.n) " +
  "INSERT INTO events (run_n, seq, type, data) SELECT * FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::text[])";

const INSERT_ACTIVITIES = `WITH ${insertActivities(1)} SELECT seq FROM new_activities ORDER BY seq`;

export class Unit {
  readonly db: Queryable;
  readonly #lastSeqs = new Map<number, number>();
  readonly #events: (JournalEvent & { readonly n: number })[] = [];
  readonly #activities: ActivityInput[] = [];
  readonly #owners = new Set<string>();
  readonly #deleted: number[] = [];
  #hasWork = false;
  /** Events that a statement has written already: they only go to the bus. */
  readonly #written: RunNews[] = [];

  constructor(db: Queryable) {
    this.db = db;
  }

  /** Locks the run's thread and then the run: every transaction keeps to this order. */
  async lock(runId: string): Promise<HeldRow | undefined> {
    const [, [run]] = await Promise.all([
      this.db.query(LOCK_THREAD, [runId]),
      this.db.query<HeldRow>(LOCK_RUN, [runId]),
    ]);
    return run;
  }

  /** @param run locked by this transaction */
  appendEvents(run: HeldRow, events: readonly RunEvent[]): void {
    const at = Date.now();
    const rows = journalRows(this.#lastSeqs.get(run.n) ?? run.last_seq, events, at);
    for (const row of rows) this.#events.push({ ...row, n: run.n });
    const last = rows.at(-1);
    if (last) this.#lastSeqs.set(run.n, last.seq);
    for (const event of events) {
      const activity = activityOf(event);
      if (activity) this.#activities.push(about(run, withRun(activity, { ...run, usage: usageOf(run) }, at), at));
    }
  }

  addActivity(activity: NewActivity, principal: string | null = null, at = Date.now()): void {
    const { type, detail } = activity;
    const nothing = { run_n: null, agent_id: null, thread_id: null, run_id: null };
    this.#activities.push({ ...nothing, at, type, principal, detail: JSON.stringify(detail) });
  }

  addActivities(activities: readonly ActivityInput[]): void {
    this.#activities.push(...activities);
  }

  tellWork(): void {
    this.#hasWork = true;
  }

  tellCancel(owner: string): void {
    this.#owners.add(owner);
  }

  tellDeleted(n: number): void {
    this.#deleted.push(n);
  }

  tellWritten(news: RunNews): void {
    this.#written.push(news);
  }

  /** The rows that are left to write. Activities come last: see `activities.ts`. */
  get statements(): readonly Statement[] {
    const statements: Statement[] = [];
    if (this.#events.length > 0) statements.push(this.#eventsStatement());
    if (this.#activities.length > 0)
      statements.push({ text: INSERT_ACTIVITIES, values: activityValues(this.#activities) });
    return statements;
  }

  get news(): News {
    const byRun = Map.groupBy(this.#events, ({ n }) => n);
    return {
      events: [...this.#written, ...[...byRun].map(([n, events]) => ({ n, events }))],
      hasActivities: this.#activities.length > 0,
      hasWork: this.#hasWork,
      owners: [...this.#owners],
      deleted: this.#deleted,
    };
  }

  #eventsStatement(): Statement {
    const events = columns(this.#events, [({ n }) => n, ({ seq }) => seq, ({ type }) => type, ({ data }) => data]);
    const moved = columns([...this.#lastSeqs], [([n]) => n, ([, last]) => last]);
    return { text: INSERT_EVENTS, values: [...events, ...moved] };
  }
}

/** @returns what `work` returns, the news for the bus, and the seq of the newest activity that it stored (0: none) */
export function inUnit<T>(
  database: Database,
  work: (unit: Unit) => Promise<T>,
): Promise<{ readonly value: T; readonly news: News; readonly activity: number }> {
  return database.transaction(async (db) => {
    const unit = new Unit(db);
    const value = await work(unit);
    const finish: Finish<{ value: T; news: News; activity: number }> = {
      statements: unit.statements,
      result: (answers) => ({ value, news: unit.news, activity: Number(answers.at(-1)?.at(-1)?.["seq"] ?? 0) }),
    };
    return finish;
  });
}
