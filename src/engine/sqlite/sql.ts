/** Pieces of SQL that several files of this driver share. */

/**
 * The limit of rows, bound as the last parameter. With a bare `LIMIT ?` the planner uses the value, so SQLite would
 * compile the statement anew at each call. [A tenth of the CPU of a worker that follows the activities.]
 */
export const LIMIT = "LIMIT (0 + ?)";

/** The columns of a `JudgedRow`, of runs `r`. */
export const JUDGED =
  "r.status, r.finish_reason, r.error ->> 'code' AS error_code, r.fence, " +
  "EXISTS (SELECT 1 FROM runs a WHERE a.retry_of = r.id) AS retried, r.superseded";

/** The columns of a `TurnRow`, of messages `m` joined with their runs `r`. */
export const TURN = `m.run_n, m.idx, m.role, m.content, m.about, m.at, r.id, r.agent_id, r.steps, ${JUDGED}`;
