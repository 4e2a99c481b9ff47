/** Claims and the renewal of leases: how an owner takes runs, and keeps them. Called by `engine.ts`. */
import type { Owner } from "../../core/run.ts";
import type { Claim, OwnedRun } from "../engine.ts";
import { trialMs } from "../rules/blame.ts";
import { askedOf, ownerKey, toRun } from "../rules/rows.ts";
import { claimedEvent } from "../rules/told.ts";
import { IS_OVERDUE, LEASE_CLOCK, NOW, RUN_TIME } from "./clock.ts";
import type { Queryable } from "./database.ts";
import { RUN } from "./sql.ts";
import type { HeldRow } from "./step.ts";
import type { Unit } from "./unit.ts";

/**
 * Delegated runs come first. Rows that another process is about to claim are left to it, and those that are overdue to
 * the upkeep, which ends them.
 */
const CLAIM =
  "WITH delegated AS (SELECT n FROM runs WHERE status = 'queued' AND head = 1 AND parent_id IS NOT NULL " +
  "ORDER BY n LIMIT $1::integer FOR UPDATE SKIP LOCKED), " +
  `own AS (SELECT n FROM runs WHERE status = 'queued' AND head = 1 AND parent_id IS NULL AND NOT ${IS_OVERDUE} ` +
  "ORDER BY round, n LIMIT $1::integer - (SELECT count(*) FROM delegated) FOR UPDATE SKIP LOCKED), " +
  "next AS (SELECT n FROM delegated UNION ALL SELECT n FROM own) " +
  "UPDATE runs SET status = 'running', owner = $2, fence = fence + 1, attempts = attempts + 1, lease_ms = $3::integer, " +
  `lease_until = ${LEASE_CLOCK} + $3::integer, claimed_at = ${NOW}, waiting = NULL, started_at = coalesce(started_at, ${RUN_TIME}) ` +
  `FROM next WHERE runs.n = next.n RETURNING ${RUN.replace(/^n,/, "runs.n,")}, round`;
const CLAIMED_ROUND = "SELECT setval('claimed_round', GREATEST($1::bigint, (SELECT last_value FROM claimed_round)))";
const EXTEND =
  "WITH held AS MATERIALIZED (SELECT n FROM runs WHERE owner = $2 AND status = 'running' AND id = ANY($3::text[]) " +
  `ORDER BY n FOR NO KEY UPDATE) UPDATE runs SET lease_until = ${LEASE_CLOCK} + $1::integer FROM held ` +
  "WHERE runs.n = held.n RETURNING id, cancel_requested";

export interface ClaimRequest {
  readonly owner: Owner;
  readonly limit: number;
  readonly leaseMs: number;
}

export async function claim(
  unit: Unit,
  { owner, limit, leaseMs }: ClaimRequest,
): Promise<{ claims: Claim[]; rows: HeldRow[] }> {
  const found = await unit.db.query<HeldRow & { readonly round: number }>(CLAIM, [limit, ownerKey(owner), leaseMs]);
  const rows = found.toSorted((a, b) => isOwn(a) - isOwn(b) || (isOwn(a) && a.round - b.round) || a.n - b.n);
  const last = rows.at(-1);
  if (last && isOwn(last)) await unit.db.query(CLAIMED_ROUND, [last.round]);
  const claims = rows.map((row) => {
    unit.appendEvents(row, [claimedEvent(owner, row.attempts)]);
    const asked = askedOf(row);
    return { run: toRun(row), fence: row.fence, asked, spentMs: row.spent_ms, trialMs: trialMs(row) };
  });
  return { claims, rows };
}

export interface ExtendRequest {
  readonly owner: Owner;
  readonly runIds: readonly string[];
  readonly leaseMs: number;
}

export async function extend(db: Queryable, { owner, runIds, leaseMs }: ExtendRequest): Promise<Map<string, OwnedRun>> {
  const rows = await db.query<{ id: string; cancel_requested: 0 | 1 }>(EXTEND, [leaseMs, ownerKey(owner), runIds]);
  return new Map(rows.map((row) => [row.id, { cancelRequested: row.cancel_requested === 1 }]));
}

/** 0 for a delegated run, 1 for every other. */
function isOwn({ parent_id: parent }: HeldRow): 0 | 1 {
  return parent === null ? 1 : 0;
}
