/**
 * Removes threads: their runs at once, what those left behind in small batches. Nothing finds the events, messages and tool
 * calls of a run whose row is gone, so `maintain` deletes them later. Each method here is one short transaction, begun by
 * `engine.ts`. The table `removals` has the runs whose rows are to go, and tells those who follow them.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { AppError } from "../../core/errors.ts";
import { isOver } from "../../core/run.ts";
import type { RunRow } from "../rules/rows.ts";
import { LIMIT } from "./sql.ts";

/** Runs in one transaction: each has a row in a dozen indexes. */
const RUNS_A_BATCH = 200;
/** Rows of one run in one transaction. [5 ms.] */
const ROWS_A_BATCH = 1_000;
const LARGE_ROWS_A_BATCH = 50;
/** Followers look every few hundred milliseconds, or are told by their own next look. */
const KEEP_TELLING_MS = 60_000;

type FamilyRow = Pick<RunRow, "n" | "id" | "thread_id" | "status">;

export class Removal {
  readonly #sql: ReturnType<typeof statements>;

  constructor(db: DatabaseSync) {
    this.#sql = statements(db);
  }

  /**
   * Removes runs of the thread, and what they delegated, the oldest first; the thread itself with its last one.
   * @returns whose it was, and whether it has to be called again; undefined when there is no such thread
   * @throws AppError THREAD_BUSY before anything is removed
   */
  hide(threadId: string): { readonly principal: string; readonly isDone: boolean } | undefined {
    const thread = this.#sql.thread.get(threadId) as { principal: string } | undefined;
    if (!thread) return undefined;
    const family = this.#sql.family.all(threadId) as unknown as FamilyRow[];
    const busy = family.find(({ status }) => !isOver(status));
    if (busy) {
      const detail = `Run ${busy.id} of thread ${threadId} is under way; cancel it first.`;
      throw new AppError("THREAD_BUSY", detail, { runId: busy.id });
    }
    const batch = family.slice(0, RUNS_A_BATCH);
    for (const run of batch) this.#hideRun(run);
    const isDone = batch.length === family.length;
    if (isDone) this.#sql.deleteThread.run(threadId);
    return { ...thread, isDone };
  }

  /** Some of what removed runs left behind. @returns false when nothing is left */
  sweep(): boolean {
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

  #sweepRun(run: number): number {
    const { deleteEvents, deleteMessages, deleteToolCalls } = this.#sql;
    const events = deleteEvents.run({ run, limit: ROWS_A_BATCH }).changes;
    // These may be large, each in many pages.
    const messages = deleteMessages.run({ run, limit: LARGE_ROWS_A_BATCH }).changes;
    const calls = deleteToolCalls.run({ run, limit: LARGE_ROWS_A_BATCH }).changes;
    return Number(events) + Number(messages) + Number(calls);
  }

  /** Whether `sweep` would find anything, or `forget` has something to do. */
  isPending(now: number): boolean {
    return this.#sql.pending.get(now - KEEP_TELLING_MS) !== undefined;
  }

  forget(now: number): void {
    this.#sql.forget.run(now - KEEP_TELLING_MS);
  }

  #hideRun({ n, id, thread_id: threadId }: FamilyRow): void {
    this.#sql.remember.run(n, Date.now());
    this.#sql.deleteActivities.run(id);
    this.#sql.deleteRun.run(n);
    this.#sql.deleteEmptyThread.run(threadId, threadId);
  }
}

function statements(db: DatabaseSync) {
  const deleteSome = (table: string, key: string) =>
    db.prepare(
      `DELETE FROM ${table} WHERE run_n = :run AND ${key} IN (SELECT ${key} FROM ${table} WHERE run_n = :run LIMIT (0 + :limit))`,
    );
  return {
    thread: db.prepare("SELECT principal FROM threads WHERE id = ?"),
    // Children before their parents go with them: an id that is deleted has no family any more.
    family: db.prepare(
      "WITH RECURSIVE family (n, id, thread_id, status) AS (SELECT n, id, thread_id, status FROM runs WHERE thread_id = ? " +
        "UNION SELECT r.n, r.id, r.thread_id, r.status FROM family f CROSS JOIN runs r ON r.parent_id = f.id) " +
        "SELECT * FROM family ORDER BY n DESC",
    ),
    remember: db.prepare("INSERT INTO removals (run_n, at) VALUES (?, ?)"),
    deleteRun: db.prepare("DELETE FROM runs WHERE n = ?"),
    deleteActivities: db.prepare("DELETE FROM activities WHERE run_id = ?"),
    deleteThread: db.prepare("DELETE FROM threads WHERE id = ?"),
    deleteEmptyThread: db.prepare(
      "DELETE FROM threads WHERE id = ? AND NOT EXISTS (SELECT 1 FROM runs WHERE thread_id = ?)",
    ),
    next: db.prepare(`SELECT n, run_n FROM removals WHERE done = 0 ORDER BY n ${LIMIT.replace("?", "1")}`),
    deleteEvents: deleteSome("events", "seq"),
    deleteMessages: deleteSome("messages", "idx"),
    deleteToolCalls: db.prepare(
      "DELETE FROM tool_calls WHERE (run_n, step, id) IN (SELECT run_n, step, id FROM tool_calls WHERE run_n = :run LIMIT (0 + :limit))",
    ),
    done: db.prepare("UPDATE removals SET done = 1 WHERE n = ?"),
    pending: db.prepare("SELECT 1 FROM removals WHERE done = 0 OR at < ? LIMIT 1"),
    forget: db.prepare("DELETE FROM removals WHERE done = 1 AND at < ?"),
  } satisfies Record<string, StatementSync>;
}
