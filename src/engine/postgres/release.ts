/**
 * Runs whose owner has ended: they go back into the queue, or are given up. Each run has a unit of its own, so that a
 * crash in between leaves the others to the next process that looks. Called by `engine.ts`.
 */
import type { Left } from "../engine.ts";
import { judge, type OwnerEnd, type Suspicion } from "../rules/blame.ts";
import { ownerKey } from "../rules/rows.ts";
import { END_REASONS, handedBackEvent, LEASE_RAN_OUT } from "../rules/told.ts";
import { LEASE_CLOCK, NOW } from "./clock.ts";
import type { Queryable } from "./database.ts";
import { closeOpen, endRun } from "./ending.ts";
import { FIRST_ROUND, TOOL_UNDER_WAY } from "./sql.ts";
import type { HeldRow } from "./step.ts";
import type { Unit } from "./unit.ts";

/** A run to hand back, unless it has another owner or another fence by then. */
export interface LeftRun {
  readonly id: string;
  readonly owner: string | null;
  readonly fence: number;
  readonly hasToolUnderWay: boolean;
  /** True: hand it back only if its lease has run out. */
  readonly isExpired?: boolean;
}

export interface Leaving {
  readonly end: OwnerEnd;
  readonly reason: string;
  /** Whether the owner ended just now: then the run was worked on until now. */
  readonly isFresh: boolean;
}

const RUNNING = `SELECT id, owner, fence, ${TOOL_UNDER_WAY} AS "hasToolUnderWay" FROM runs WHERE status = 'running'`;
const EXPIRED = `${RUNNING} AND lease_until < ${LEASE_CLOCK} ORDER BY n`;
const IS_EXPIRED = `SELECT 1 AS yes FROM runs WHERE n = $1 AND lease_until < ${LEASE_CLOCK}`;
const REQUEUE =
  `UPDATE runs SET status = 'queued', round = CASE WHEN parent_id IS NULL THEN coalesce(${FIRST_ROUND}, round) ELSE 0 END, ` +
  "owner = NULL, lease_until = NULL, crashes = $2, losses = $3, " +
  `spent_ms = spent_ms + CASE WHEN $4::boolean THEN greatest(0, coalesce(${NOW} - claimed_at, 0)) ELSE 0 END WHERE n = $1`;

export const RAN_OUT: Leaving = { end: "gone", reason: LEASE_RAN_OUT, isFresh: true };

/** Parents come before the runs that they delegated. */
export async function expiredRuns(db: Queryable): Promise<LeftRun[]> {
  const rows = await db.query<LeftRun>(EXPIRED);
  return rows.map((row) => ({ ...row, isExpired: true }));
}

export async function leftRuns(db: Queryable, left: Left): Promise<LeftRun[]> {
  if ("owner" in left) {
    const rows = await db.query<LeftRun>(`${RUNNING} AND owner = $1 ORDER BY n`, [ownerKey(left.owner)]);
    const { runIds } = left;
    return runIds ? rows.filter(({ id }) => runIds.includes(id)) : rows;
  }
  const { machine, exceptBoot } = left;
  return db.query<LeftRun>(`${RUNNING} AND starts_with(owner, $1) AND NOT starts_with(owner, $2) ORDER BY n`, [
    `${machine}/`,
    `${machine}/${exceptBoot}/`,
  ]);
}

export async function runsOfMachine(db: Queryable, machine: string): Promise<LeftRun[]> {
  return db.query<LeftRun>(`${RUNNING} AND starts_with(owner, $1) ORDER BY n`, [`${machine}/`]);
}

/**
 * Nobody knows how long an earlier boot worked before it ended: the time since its claims would count the pause, too.
 */
export function leavingOf(left: Left, end: OwnerEnd): Leaving {
  return { end, reason: END_REASONS[end], isFresh: "owner" in left };
}

/** @param suspects how many runs of the same owner had a tool under way */
export async function handBack(
  unit: Unit,
  left: LeftRun,
  { suspects, ...why }: Leaving & { readonly suspects: number },
): Promise<void> {
  const run = await unit.lock(left.id);
  // The end of its parent may have ended it meanwhile, or another process has already handed it back.
  if (run?.status !== "running" || run.owner !== left.owner || run.fence !== left.fence) return;
  if (left.isExpired && (await unit.db.query(IS_EXPIRED, [run.n])).length === 0) return;
  const voided = await closeOpen(unit, run);
  const { hasToolUnderWay } = left;
  const verdict = judge({ ...run, hasToolUnderWay, cancelRequested: run.cancel_requested === 1 }, why.end, suspects);
  if (verdict.is === "end") await endRun(unit, run, verdict.outcome);
  else await requeue(unit, run, { ...why, ...verdict.suspicion, voided });
}

async function requeue(
  unit: Unit,
  run: HeldRow,
  { crashes, losses, isFresh, reason, voided }: Leaving & Suspicion & { readonly voided: string[] },
): Promise<void> {
  await unit.db.query(REQUEUE, [run.n, crashes, losses, isFresh]);
  unit.appendEvents(run, [handedBackEvent(run, reason, voided)]);
  unit.tellWork();
}
