/** Removes threads and all that belongs to them, inside a transaction that the caller has begun. */
import type { DatabaseSync } from "node:sqlite";
import { AppError } from "../../core/errors.ts";

/** @returns whose it was; undefined when there is no such thread. @throws AppError THREAD_BUSY before anything is removed */
export function deleteThread(db: DatabaseSync, threadId: string): string | undefined {
  const busy = db.prepare("SELECT id FROM runs WHERE thread_id = ? AND status IN ('queued', 'running')").get(threadId);
  if (busy) {
    const runId = String(busy["id"]);
    throw new AppError("THREAD_BUSY", `Run ${runId} of thread ${threadId} is under way; cancel it first.`, { runId });
  }
  db.prepare("INSERT INTO removals (run_n, at) SELECT n, ? FROM runs WHERE thread_id = ?").run(Date.now(), threadId);
  for (const table of ["events", "tool_calls"]) {
    db.prepare(`DELETE FROM ${table} WHERE run_n IN (SELECT n FROM runs WHERE thread_id = ?)`).run(threadId);
  }
  for (const table of ["messages", "activities", "runs"]) {
    db.prepare(`DELETE FROM ${table} WHERE thread_id = ?`).run(threadId);
  }
  const row = db.prepare("DELETE FROM threads WHERE id = ? RETURNING principal").get(threadId);
  return row && String(row["principal"]);
}

/** A client that waits for the end of its run, or reads its events, has this long. */
const EPHEMERAL_MS = 60_000;
/** A few at a time: nobody waits for them, and a transaction shall be short. */
const EPHEMERAL_BATCH = 20;

/** Threads whose ephemeral run ended more than a minute before `now` (ms since the epoch), the oldest first. */
export function endedEphemeral(db: DatabaseSync, now: number): string[] {
  const rows = db
    .prepare(
      "SELECT thread_id FROM runs r WHERE ephemeral = 1 AND finished_at < ? AND NOT EXISTS (SELECT 1 FROM runs o " +
        "WHERE o.thread_id = r.thread_id AND o.status IN ('queued', 'running')) ORDER BY finished_at LIMIT ?",
    )
    .all(now - EPHEMERAL_MS, EPHEMERAL_BATCH) as { thread_id: string }[];
  return rows.map(({ thread_id: threadId }) => threadId);
}
