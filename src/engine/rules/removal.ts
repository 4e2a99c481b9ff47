/**
 * The removal of threads, as both drivers do it. Three words: a thread is *removed* when nobody finds it, its runs and
 * their activities any more; the other rows of removed runs are *swept* later, in batches; to *delete* is what SQL does
 * to a row, and what a client asks for.
 */
import type { NewActivity } from "../../core/activity.ts";
import { AppError } from "../../core/errors.ts";

/** A client that waits for the end of an ephemeral run, or reads its events, has this much time. */
export const EPHEMERAL_MS = 60_000;
/** How many ephemeral threads one look finds. */
export const EPHEMERAL_AT_ONCE = 20;

export interface Removal {
  readonly threadId: string;
  /** A client asked for it; otherwise the thread is old enough. */
  readonly isAsked: boolean;
}

export interface RemovedThread {
  readonly principal: string;
  /** 0 when no list shows the thread. */
  readonly last_run: number;
}

/**
 * The activity that tells of a removal. Clients that list threads need it. So do readers of the feed when its newest
 * activity goes with the thread, because its seq is the position of the feed, and that never goes back. Threads of
 * stateless requests are in no list, and go without a word.
 * @param takesNewest whether the newest activity of the feed belongs to one of the removed runs
 */
export function toldOf({ threadId, isAsked }: Removal, thread: RemovedThread, takesNewest: boolean): NewActivity[] {
  if (!isAsked && thread.last_run === 0 && !takesNewest) return [];
  return [{ type: "thread.deleted", detail: { thread_id: threadId } }];
}

export function threadBusy(threadId: string, runId: string): AppError {
  return new AppError("THREAD_BUSY", `Run ${runId} of thread ${threadId} is under way; cancel it first.`, { runId });
}

/**
 * Finds threads of ephemeral runs that have ended, the oldest first. A thread is left out while one of its runs, or one
 * that they delegated, is under way: so it does not stand in the way of others.
 * @param before an SQL parameter for the latest end. @param limit the limit, in SQL
 * @param join of a driver whose planner needs a hint
 */
export function endedEphemeral(before: string, limit: string, join = "JOIN"): string {
  return (
    `SELECT thread_id FROM runs e WHERE ephemeral = 1 AND finished_at < ${before} AND NOT EXISTS (` +
    "WITH RECURSIVE family (id, status) AS (SELECT id, status FROM runs WHERE thread_id = e.thread_id " +
    `UNION SELECT r.id, r.status FROM family f ${join} runs r ON r.parent_id = f.id) ` +
    `SELECT 1 FROM family WHERE status IN ('queued', 'running')) ORDER BY finished_at ${limit}`
  );
}
