/** Removes a thread and all that belongs to it, inside a transaction that the caller has begun. */
import type { DatabaseSync } from "node:sqlite";
import { AppError } from "../../core/errors.ts";

/** @returns false when there is no such thread. @throws AppError THREAD_BUSY before anything is removed */
export function deleteThread(db: DatabaseSync, threadId: string): boolean {
  const busy = db
    .prepare("SELECT id FROM runs WHERE thread_id = ? AND status IN ('queued', 'running', 'waiting')")
    .get(threadId);
  if (busy) {
    const runId = String(busy["id"]);
    throw new AppError("THREAD_BUSY", `Run ${runId} of thread ${threadId} is under way; cancel it first.`, { runId });
  }
  for (const table of ["events", "tool_calls"]) {
    db.prepare(`DELETE FROM ${table} WHERE run_n IN (SELECT n FROM runs WHERE thread_id = ?)`).run(threadId);
  }
  for (const table of ["messages", "activities", "runs"]) {
    db.prepare(`DELETE FROM ${table} WHERE thread_id = ?`).run(threadId);
  }
  return db.prepare("DELETE FROM threads WHERE id = ?").run(threadId).changes > 0;
}
