/**
 * Removes threads. One transaction marks the runs of a thread, with all that these delegated, and deletes the thread's
 * row: from then on the thread is gone, even if the process dies. The other rows go in batches, those of `runs` first
 * (column `hidden`): nothing finds the events, messages and tool calls of a run whose row is gone, and they are swept
 * later. Each method of `Removals` is one short transaction, begun by `engine.ts`, `retention.ts` and `maintenance.ts`.
 * The table `removals` holds the marks, and tells the followers of a run that it was deleted.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { hasCode } from "../../core/errors.ts";
import { doAll } from "../do-all.ts";
import {
  EPHEMERAL_AT_ONCE,
  EPHEMERAL_MS,
  endedEphemeral,
  threadBusy,
  toldOf,
  type Removal,
  type RemovedThread,
} from "../rules/removal.ts";
import type { RunRow } from "../rules/rows.ts";
import type { Journal } from "./journal.ts";
import { LIMIT } from "./sql.ts";
import type { Writer } from "./writer.ts";

/** Runs that one transaction deletes: each has a row in a dozen indexes. */
const RUNS_A_BATCH = 200;
/** Rows of one run that one transaction deletes. [5 ms.] */
const ROWS_A_BATCH = 1_000;
const LARGE_ROWS_A_BATCH = 50;
/** Followers look every few hundred milliseconds, so each one sees the mark within this time. */
const KEEP_TELLING_MS = 60_000;

type MarkedRow = Pick<RunRow, "id" | "thread_id"> & { readonly mark: number; readonly run_n: number };

export class Removals {
  readonly #sql: ReturnType<typeof statements>;
  readonly #journal: Pick<Journal, "insertActivity">;

  constructor(db: DatabaseSync, journal: Pick<Journal, "insertActivity">) {
    this.#sql = statements(db);
    this.#journal = journal;
  }

  /**
   * Deletes the thread's row, and marks its runs and the runs that they delegated. Call `removeRuns` until nothing is
   * left.
   * @returns false when there is no such thread
   * @throws AppError THREAD_BUSY before anything is removed
   */
  mark(removal: Removal, now: number): boolean {
    const { threadId } = removal;
    const thread = this.#sql.thread.get(threadId) as RemovedThread | undefined;
    if (!thread) return false;
    const busy = this.#sql.busy.get(threadId) as { id: string } | undefined;
    if (busy) throw threadBusy(threadId, busy.id);
    this.#sql.mark.run(threadId, now);
    this.#sql.deleteThread.run(threadId);
    const takesNewest = this.#sql.takesNewest.get() !== undefined;
    const { principal } = thread;
    for (const activity of toldOf(removal, thread, takesNewest)) this.#journal.insertActivity(activity, { principal });
    return true;
  }

  /** Removes some of the marked runs. @returns false when none is left */
  removeRuns(): boolean {
    const marked = this.#sql.marked.all(RUNS_A_BATCH) as unknown as MarkedRow[];
    for (const run of marked) this.#removeRun(run);
    return marked.length === RUNS_A_BATCH;
  }

  /** Deletes some rows of removed runs. @returns false when nothing is left */
  sweep(): boolean {
    // A process that died in the middle of a removal left marked runs behind.
    if (this.removeRuns()) return true;
    let [rows, runs] = [0, 0];
    while (rows < ROWS_A_BATCH && runs < RUNS_A_BATCH) {
      const run = this.#sql.next.get() as { n: number; run_n: number } | undefined;
      if (!run) return false;
      const deleted = this.#sweepRun(run.run_n);
      rows += deleted;
      if (deleted > 0) continue;
      this.#sql.done.run(run.n);
      runs += 1;
    }
    return true;
  }

  /** The time of the sweep is the end of the run's uses: until then its files count as used. */
  #sweepRun(run: number): number {
    const uses = this.#sql.endUses.all({ run, limit: LARGE_ROWS_A_BATCH }) as { file_id: string }[];
    for (const { file_id: fileId } of uses) this.#sql.useEnded.run(Date.now(), fileId);
    const { deleteEvents, deleteMessages, deleteToolCalls } = this.#sql;
    const events = deleteEvents.run({ run, limit: ROWS_A_BATCH }).changes;
    // Messages may be large, each in many pages.
    const messages = deleteMessages.run({ run, limit: LARGE_ROWS_A_BATCH }).changes;
    const calls = deleteToolCalls.run({ run, limit: LARGE_ROWS_A_BATCH }).changes;
    return uses.length + Number(events) + Number(messages) + Number(calls);
  }

  forget(now: number): void {
    this.#sql.forget.run(now - KEEP_TELLING_MS);
  }

  #removeRun({ mark, run_n: n, id, thread_id: threadId }: MarkedRow): void {
    this.#sql.hidden.run(mark);
    this.#sql.deleteActivities.run(id);
    this.#sql.deleteRun.run(n);
    // The thread of a delegated run.
    this.#sql.deleteEmptyThread.run(threadId, threadId);
  }
}

/** Removes a thread that is old enough. A thread stays if it has a new run, or a delegated run that is not over. */
export async function removeUnlessBusy({ writer, removals }: RemovalParts, threadId: string): Promise<void> {
  try {
    await writer.run(() => removals.mark({ threadId, isAsked: false }, Date.now()) && removals.removeRuns());
  } catch (error) {
    if (!hasCode(error, "THREAD_BUSY")) throw error;
  }
}

export interface RemovalParts {
  readonly writer: Writer;
  /** On the writing connection. */
  readonly removals: Removals;
}

/** Finds what there is to remove, on the reading connection, because an idle server must not take the write lock. */
export class RemovalLooks {
  readonly #pending: StatementSync;
  readonly #ephemeral: StatementSync;

  constructor(db: DatabaseSync) {
    this.#pending = db.prepare("SELECT 1 FROM removals WHERE done = 0 OR at < ? LIMIT 1");
    this.#ephemeral = db.prepare(endedEphemeral("?", `LIMIT (0 + ${EPHEMERAL_AT_ONCE})`, "CROSS JOIN"));
  }

  /** Whether `sweep` or `forget` has something to do. */
  isPending(now: number): boolean {
    return this.#pending.get(now - KEEP_TELLING_MS) !== undefined;
  }

  /** Removes some threads whose ephemeral run ended a while before `now`. @returns whether more may be left */
  async removeEphemeral(parts: RemovalParts, now: number): Promise<boolean> {
    const ended = this.#ephemeral.all(now - EPHEMERAL_MS) as { thread_id: string }[];
    await doAll(
      ended.map(
        ({ thread_id: threadId }) =>
          () =>
            removeUnlessBusy(parts, threadId),
      ),
    );
    return ended.length === EPHEMERAL_AT_ONCE;
  }
}

/**
 * The runs of a thread and all runs below them. Ids of deleted runs can be used again and could form a circle: UNION
 * ends it.
 */
const FAMILY =
  "WITH RECURSIVE family (n, id, status) AS (SELECT n, id, status FROM runs WHERE thread_id = ? " +
  "UNION SELECT r.n, r.id, r.status FROM family f CROSS JOIN runs r ON r.parent_id = f.id)";

function statements(db: DatabaseSync) {
  const deleteSome = (table: string, key: string) =>
    db.prepare(
      `DELETE FROM ${table} WHERE run_n = :run AND ${key} IN (SELECT ${key} FROM ${table} WHERE run_n = :run LIMIT (0 + :limit))`,
    );
  return {
    thread: db.prepare("SELECT principal, last_run FROM threads WHERE id = ?"),
    busy: db.prepare(`${FAMILY} SELECT id FROM family WHERE status IN ('queued', 'running') LIMIT 1`),
    mark: db.prepare(`INSERT INTO removals (run_n, at, hidden) ${FAMILY} SELECT n, ?, 0 FROM family`),
    marked: db.prepare(
      "SELECT m.n AS mark, m.run_n, r.id, r.thread_id FROM removals m LEFT JOIN runs r ON r.n = m.run_n " +
        `WHERE m.hidden = 0 ORDER BY m.n ${LIMIT}`,
    ),
    // Whether the newest activity is of a run that is marked.
    takesNewest: db.prepare(
      "SELECT 1 FROM (SELECT run_id FROM activities ORDER BY seq DESC LIMIT 1) newest " +
        "CROSS JOIN runs r ON r.id = newest.run_id CROSS JOIN removals m ON m.run_n = r.n WHERE m.hidden = 0",
    ),
    hidden: db.prepare("UPDATE removals SET hidden = 1 WHERE n = ?"),
    deleteRun: db.prepare("DELETE FROM runs WHERE n = ?"),
    deleteActivities: db.prepare("DELETE FROM activities WHERE run_id = ?"),
    deleteThread: db.prepare("DELETE FROM threads WHERE id = ?"),
    deleteEmptyThread: db.prepare(
      "DELETE FROM threads WHERE id = ? AND NOT EXISTS (SELECT 1 FROM runs WHERE thread_id = ?)",
    ),
    next: db.prepare(
      `SELECT n, run_n FROM removals WHERE done = 0 AND hidden = 1 ORDER BY n ${LIMIT.replace("?", "1")}`,
    ),
    deleteEvents: deleteSome("events", "seq"),
    deleteMessages: deleteSome("messages", "idx"),
    deleteToolCalls: db.prepare(
      "DELETE FROM tool_calls WHERE (run_n, step, id) IN (SELECT run_n, step, id FROM tool_calls WHERE run_n = :run LIMIT (0 + :limit))",
    ),
    endUses: db.prepare(
      "DELETE FROM file_uses WHERE run_n = :run AND file_id IN " +
        "(SELECT file_id FROM file_uses WHERE run_n = :run LIMIT (0 + :limit)) RETURNING file_id",
    ),
    useEnded: db.prepare("UPDATE files SET idle_since = ? WHERE id = ?"),
    done: db.prepare("UPDATE removals SET done = 1 WHERE n = ?"),
    forget: db.prepare("DELETE FROM removals WHERE done = 1 AND at < ?"),
  } satisfies Record<string, StatementSync>;
}
