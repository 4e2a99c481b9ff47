/**
 * How activities are stored. Readers hold a position in the feed and ask for what is above it, so no activity may
 * become visible below one that was seen already. Therefore transactions take the numbers of their activities under a
 * lock, one transaction after the other, and hold the lock until they are committed. The last statement before a COMMIT
 * takes it, so that it is held briefly.
 */
import type { ActivityType } from "../../core/activity.ts";

export interface ActivityInput {
  /** The number of its run; null for none. */
  readonly run_n: number | null;
  readonly at: number;
  readonly type: ActivityType;
  readonly agent_id: string | null;
  readonly thread_id: string | null;
  readonly run_id: string | null;
  readonly principal: string | null;
  readonly detail: string;
}

/** Any number that other programs on the same database are unlikely to take. */
const FEED_LOCK = 7_310_155_202;

/**
 * Two parts of a WITH: the lock, and the rows behind it, which return their `seq` in order.
 * @param first the number of the first of eight parameters
 * @param which a condition on the rows `a` to be stored
 */
export function insertActivities(first: number, which = ""): string {
  const list = ["bigint", "bigint", "text", "text", "text", "text", "text", "text"]
    .map((type, index) => `$${first + index}::${type}[]`)
    .join(", ");
  return (
    `feed_lock AS MATERIALIZED (SELECT pg_advisory_xact_lock(${FEED_LOCK}) WHERE cardinality($${first}::bigint[]) > 0), ` +
    "new_activities AS (INSERT INTO activities (at, type, agent_id, thread_id, run_id, principal, detail) " +
    "SELECT a.at, a.type, a.agent_id, a.thread_id, a.run_id, a.principal, a.detail FROM feed_lock, " +
    `unnest(${list}) WITH ORDINALITY AS a (run_n, at, type, agent_id, thread_id, run_id, principal, detail, place) ` +
    `${which} ORDER BY a.place RETURNING seq)`
  );
}
