/**
 * Writes of a run's owner that take more than one statement: a step that costs money, and the step that ends the run.
 */
import type { Outcome } from "../../core/run.ts";
import type { OwnedRun, Step } from "../engine.ts";
import { leaseLost } from "../rules/lease-lost.ts";
import { endRun } from "./ending.ts";
import { book, lockAbove } from "./spending.ts";
import { afterStep, prepareStep, stepsStatement, type HeldRow } from "./step.ts";
import type { Unit } from "./unit.ts";

/** How many steps of the run were committed before the first try of a step. */
export interface Tried {
  writes?: number;
}

/**
 * Called again with the same `tried` after the connection broke: a step that was committed after all is neither written
 * nor paid twice. @throws AppError LEASE_LOST before anything is written
 */
export async function billedStep(unit: Unit, step: Step, tried: Tried): Promise<OwnedRun> {
  const run = await ownedRun(unit, step);
  tried.writes ??= run.writes;
  if (run.writes === tried.writes) await writeStep(unit, run, step);
  return { cancelRequested: run.cancel_requested === 1 };
}

/** The step and the run's end. @throws AppError LEASE_LOST before anything is written */
export async function settle(unit: Unit, step: Step, outcome: Outcome): Promise<void> {
  await endRun(unit, await writeStep(unit, await ownedRun(unit, step), step), outcome);
}

async function ownedRun(unit: Unit, step: Step): Promise<HeldRow> {
  // Both are sent in one round trip.
  const [, run] = await Promise.all([step.bill && lockAbove(unit.db, step.runId), unit.lock(step.runId)]);
  if (run?.status !== "running" || run.fence !== step.fence) {
    throw leaseLost(step);
  }
  return run;
}

/** @param run locked. @returns the run as it is after the step */
async function writeStep(unit: Unit, run: HeldRow, step: Step): Promise<HeldRow> {
  const prepared = prepareStep(run, step);
  // The unit writes the activities: their lock is taken last.
  unit.addActivities(prepared.activities);
  const { text, values } = stepsStatement([{ ...prepared, activities: [] }]);
  await unit.db.query(text, values);
  if (step.usage && step.bill) await book(unit.db, run, { usage: step.usage, bill: step.bill });
  unit.tellWritten({ n: run.n, events: prepared.events });
  return afterStep(prepared);
}
