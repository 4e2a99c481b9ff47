/**
 * Pieces of SQL that several files of this driver share.
 *
 * The order of locks, so that no two transactions wait for each other in a circle: runs are locked in the order of
 * their numbers, which is parents before the runs that they delegated. A run's thread is locked just before the run.
 * Then come rows of files, in the order of their ids; then the advisory lock of admission (`queue.ts`) or those of
 * budgets, rows of `spending`, and the lock of the feed (`activities.ts`). A statement that takes several rows of which
 * others may hold some takes them with ORDER BY … FOR UPDATE, or skips those.
 */

/** The columns of a `HeldRow`. */
export const RUN =
  "n, id, thread_id, agent_id, parent_id, retry_of, title, status, created_at, started_at, finished_at, owner, fence, " +
  "attempts, crashes, losses, spent_ms, cancel_requested, steps, waiting, usage, dollars, delegated_tokens, delegated_dollars, " +
  "reply, finish_reason, error, timeout_ms, metadata, asked, output, principal, fingerprint, ephemeral, superseded, last_seq, writes";

/**
 * The code in the stored error of the run `run`. Postgres' own JSON functions refuse texts with U+0000 or half of a
 * surrogate pair, and error texts come from anywhere. The code is the first field (`ending.ts`), so no text is taken
 * for it.
 */
export function errorCode(run: string): string {
  return `substring(${run}.error from '^[{]"code":"([A-Z_]+)"') AS error_code`;
}

/** The columns of a `JudgedRow`, of runs `r`. */
export const JUDGED =
  `r.status, r.finish_reason, ${errorCode("r")}, r.fence, ` +
  "(EXISTS (SELECT 1 FROM runs a WHERE a.retry_of = r.id))::integer AS retried, r.superseded";

/** The columns of a `TurnRow`, of messages `m` joined with their runs `r`. */
export const TURN = `m.run_n, m.idx, m.role, m.content, m.about, m.at, r.id, r.agent_id, r.steps, ${JUDGED}`;

/** Whether the run has a tool call under way that could end its process: see ToolCall.contained. */
export const TOOL_UNDER_WAY =
  "EXISTS (SELECT 1 FROM tool_calls c WHERE c.run_n = runs.n AND c.result IS NULL AND c.fence = runs.fence)";

/** The round of the run that is claimed next, among the runs that nobody delegated. */
export const FIRST_ROUND =
  "(SELECT round FROM runs WHERE status = 'queued' AND head = 1 AND parent_id IS NULL ORDER BY round, n LIMIT 1)";
