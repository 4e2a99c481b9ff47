/** Which threads are to be removed without a request. Called by `engine.ts`; only reads. */
import type { DatabaseSync } from "node:sqlite";

/** A client that waits for the end of its run, or reads its events, has this much time. */
const EPHEMERAL_MS = 60_000;
/** A few at a time, to keep the transaction short: nobody waits for these removals. */
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
