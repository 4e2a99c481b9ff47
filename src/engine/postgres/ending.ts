/**
 * The ends of runs, inside a unit: of one run, and of all that it delegated. Called by `queue.ts` and `release.ts`.
 *
 * A run is locked before its end or its cancel looks for the runs that it delegated, and it is locked while it
 * delegates. So a new child is either found here, or refused when it is enqueued.
 */
import type { ErrorInfo } from "../../core/errors.ts";
import { OpenItems, terminalEvent, type RunEvent } from "../../core/event.ts";
import { finishReasonOf, isOver, type Outcome } from "../../core/run.ts";
import { usageOf } from "../rules/rows.ts";
import { RUN_TIME } from "./clock.ts";
import type { HeldRow } from "./step.ts";
import type { Unit } from "./unit.ts";

const END =
  `WITH ended AS (UPDATE runs SET status = $3, finished_at = ${RUN_TIME}, owner = NULL, lease_until = NULL, head = 0, ` +
  "reply = $4, finish_reason = $5, output = $6, error = $7 WHERE n = $1), " +
  // Lets the next run of its thread be claimed.
  "promoted AS (UPDATE runs SET head = 1 WHERE head = 0 AND n = (SELECT n FROM runs WHERE thread_id = $2 " +
  "AND status IN ('queued', 'running') AND n <> $1 ORDER BY n LIMIT 1) RETURNING n), " +
  `touched AS (UPDATE threads SET updated_at = $8 WHERE id = $2) SELECT n FROM promoted`;

// UNION drops ids that were seen: ids of deleted runs can be used again, and could form a circle.
const BELOW =
  "WITH RECURSIVE family (id) AS (SELECT $1::text UNION SELECT r.id FROM family f JOIN runs r ON r.parent_id = f.id) " +
  "SELECT r.id FROM family JOIN runs r USING (id) WHERE r.status IN ('queued', 'running') ORDER BY r.n";

// Leave deltas out: they open and close nothing, and are nearly all of a journal.
const OPENING =
  "SELECT data FROM events WHERE run_n = $1 AND (type LIKE '%START%' OR type LIKE '%END%' OR type LIKE 'STEP%' OR type = 'CUSTOM') ORDER BY seq";

/**
 * Ends a run that the unit has locked, and the delegated runs below it that are under way: nobody waits for them any
 * more.
 */
export async function endRun(unit: Unit, run: HeldRow, outcome: Outcome): Promise<void> {
  await endOne(unit, run, outcome);
  await cancelBelow(unit, run.id);
}

async function endOne(unit: Unit, run: HeldRow, outcome: Outcome): Promise<void> {
  const promoted = await unit.db.query(END, [
    run.n,
    run.thread_id,
    outcome.status,
    outcome.status === "completed" ? outcome.reply : null,
    finishReasonOf(outcome),
    outcome.status === "completed" && outcome.output !== undefined ? JSON.stringify(outcome.output) : null,
    outcome.status === "failed" ? storedError(outcome.error) : null,
    Date.now(),
  ]);
  if (promoted.length > 0) unit.tellWork();
  unit.appendEvents(run, [terminalEvent({ run_id: run.id, thread_id: run.thread_id }, outcome, usageOf(run))]);
}

/** The code comes first: `errorCode` of `sql.ts` reads it there. */
function storedError({ code, detail }: ErrorInfo): string {
  return JSON.stringify({ code, detail });
}

/** Cancels the run, and the delegated runs below it that are under way. */
export async function cancelFamily(unit: Unit, runId: string): Promise<void> {
  await cancelOne(unit, runId);
  await cancelBelow(unit, runId);
}

async function cancelOne(unit: Unit, runId: string): Promise<void> {
  const run = await unit.lock(runId);
  if (!run || isOver(run.status)) return;
  if (run.status === "queued") return endOne(unit, run, { status: "canceled" });
  await unit.db.query("UPDATE runs SET cancel_requested = 1 WHERE n = $1", [run.n]);
  if (run.owner !== null) unit.tellCancel(run.owner);
}

/**
 * Bounded by MAX_DELEGATED_RUNS. A run that waited for its lock may have delegated meanwhile, so it looks again until
 * it finds no other run.
 */
async function cancelBelow(unit: Unit, runId: string): Promise<void> {
  const canceled = new Set([runId]);
  for (;;) {
    const found = await unit.db.query<{ id: string }>(BELOW, [runId]);
    const others = found.filter(({ id }) => !canceled.has(id));
    if (others.length === 0) return;
    for (const { id } of others) {
      canceled.add(id);
      await cancelOne(unit, id);
    }
  }
}

/**
 * Closes the items that a vanished owner left open. Returns the ids of the messages and tool calls that are void now.
 */
export async function closeOpen(unit: Unit, run: HeldRow): Promise<string[]> {
  const open = new OpenItems();
  for (const { data } of await unit.db.query<{ data: string }>(OPENING, [run.n])) {
    open.see(JSON.parse(data) as RunEvent);
  }
  const { events, voided } = open.close();
  unit.appendEvents(run, events);
  return voided;
}
