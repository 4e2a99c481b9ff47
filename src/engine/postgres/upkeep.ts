/** What `maintain` does each second beside the clocks, and handing back many runs. Called by `engine.ts`. */
import { doAll } from "../do-all.ts";
import { OVERDUE_AT_ONCE, overdueOutcome } from "../rules/overdue.ts";
import { withinShare } from "../rules/retention.ts";
import { END_REASONS } from "../rules/told.ts";
import { forgetMachine, IS_OVERDUE, takeSilent, type Machine } from "./clock.ts";
import type { Database } from "./database.ts";
import { endRun } from "./ending.ts";
import { handBack, runsOfMachine, type Leaving, type LeftRun } from "./release.ts";
import { removeEphemeral, sweep, type RemovalParts } from "./removal.ts";
import { inUnit, type Unit } from "./unit.ts";

/** How many removed runs one `maintain` sweeps, one batch each. */
const SWEEPS_A_SECOND = 100;
/** The time for overdue runs in one `maintain`: however many there are, the rest of the upkeep has its turn, too. */
const OVERDUE_MS = 2_000;
const OVERDUE = `SELECT id, queue_ms FROM runs WHERE status = 'queued' AND ${IS_OVERDUE} ORDER BY n LIMIT $1::integer`;
const GONE: Leaving = { end: "gone", reason: END_REASONS.gone, isFresh: false };

export interface UpkeepParts extends RemovalParts {
  /** The machine that does the upkeep: its own runs are not handed back. */
  readonly machine: Machine | undefined;
}

/** @throws the first failure of a step, after all steps have been tried */
export async function tidy(parts: UpkeepParts): Promise<void> {
  await doAll([
    () => handBackOfSilent(parts),
    () => endAllOverdue(parts),
    () => withinShare(() => removeEphemeral(parts, Date.now())),
    () => sweepSome(parts),
  ]);
}

interface OverdueRow {
  readonly id: string;
  readonly queue_ms: number;
}

/** A batch at a time, over all connections of this process: one after the other, they would take too long. */
async function endAllOverdue({ database, publish }: UpkeepParts): Promise<void> {
  const endsAt = performance.now() + OVERDUE_MS;
  for (;;) {
    const rows = await database.query<OverdueRow>(OVERDUE, [OVERDUE_AT_ONCE]);
    const end = async ({ id, queue_ms: queueMs }: OverdueRow) => {
      const { news } = await inUnit(database, (unit) => endOverdue(unit, id, queueMs));
      publish(news);
    };
    await Promise.all(rows.map(end));
    if (rows.length < OVERDUE_AT_ONCE || performance.now() >= endsAt) return;
  }
}

/** The run may have been claimed since it was found. */
async function endOverdue(unit: Unit, runId: string, queueMs: number): Promise<void> {
  const run = await unit.lock(runId);
  if (run?.status === "queued") await endRun(unit, run, overdueOutcome(queueMs));
}

/** Hands back each run in a transaction of its own. @param runs of one or more owners, parents first */
export async function handBackAll(
  { database, publish }: Pick<UpkeepParts, "database" | "publish">,
  runs: readonly LeftRun[],
  why: Leaving,
): Promise<void> {
  const suspects = runs.filter((run) => run.hasToolUnderWay).length;
  for (const run of runs) {
    const { news } = await inUnit(database, (unit) => handBack(unit, run, { ...why, suspects }));
    publish(news);
  }
}

async function handBackOfSilent(parts: UpkeepParts): Promise<void> {
  const { database, machine } = parts;
  for (const silent of await takeSilent(database, machine?.machine)) {
    await handBackAll(parts, await runsOfMachine(database, silent.id), GONE);
    await forgetMachine(database, silent);
  }
}

async function sweepSome({ database }: UpkeepParts): Promise<void> {
  for (let batches = 0; batches < SWEEPS_A_SECOND; batches += 1) if (!(await sweepOnce(database))) return;
}

function sweepOnce(database: Database): Promise<boolean> {
  return database.transaction(async (db) => {
    const isMore = await sweep(db);
    return { statements: [], result: () => isMore };
  });
}
