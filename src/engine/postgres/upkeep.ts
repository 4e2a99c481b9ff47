/** What `maintain` does each second beside the clocks, and the handing back of many runs. Called by `engine.ts`. */
import { OVERDUE_AT_ONCE, overdueOutcome } from "../rules/overdue.ts";
import { END_REASONS } from "../rules/told.ts";
import { NOW, forgetMachine, silentMachines, type Machine } from "./clock.ts";
import type { Database } from "./database.ts";
import { endRun } from "./ending.ts";
import { handBack, runsOfMachine, type Leaving, type LeftRun } from "./release.ts";
import { endedEphemeral, hideThread, sweep } from "./removal.ts";
import { inUnit, type News, type Unit } from "./unit.ts";

/** Removed runs whose rows one `maintain` deletes, a batch each. */
const SWEEPS_A_SECOND = 100;
const OVERDUE =
  "SELECT id, queue_ms FROM runs WHERE status = 'queued' AND queue_ms IS NOT NULL AND attempts = 0 " +
  `AND created_clock + queue_ms < ${NOW} ORDER BY n LIMIT $1::integer`;
const GONE: Leaving = { end: "gone", reason: END_REASONS.gone, isFresh: false };

/** @returns what there is to tell */
export async function tidy(database: Database, machine: Machine | undefined): Promise<News[]> {
  const news = await handBackOfSilent(database, machine);
  for (const { id, queue_ms: queueMs } of await database.query<OverdueRow>(OVERDUE, [OVERDUE_AT_ONCE]))
    news.push((await inUnit(database, (unit) => endOverdue(unit, id, queueMs))).news);
  for (const threadId of await endedEphemeral(database, Date.now()))
    news.push((await inUnit(database, (unit) => hideThread(unit, threadId))).news);
  for (let batches = 0; batches < SWEEPS_A_SECOND; batches += 1) if (!(await sweepOnce(database))) break;
  return news;
}

interface OverdueRow {
  readonly id: string;
  readonly queue_ms: number;
}

/** It may have been claimed since it was looked at. */
async function endOverdue(unit: Unit, runId: string, queueMs: number): Promise<void> {
  const run = await unit.lock(runId);
  if (run?.status === "queued") await endRun(unit, run, overdueOutcome(queueMs));
}

/** Each in a transaction of its own. @param runs of one or more owners, parents first */
export async function handBackAll(database: Database, runs: readonly LeftRun[], why: Leaving): Promise<News[]> {
  const suspects = runs.filter((run) => run.hasToolUnderWay).length;
  const all: News[] = [];
  for (const run of runs) {
    const { news } = await inUnit(database, (unit) => handBack(unit, run, { ...why, suspects }));
    all.push(news);
  }
  return all;
}

async function handBackOfSilent(database: Database, machine: Machine | undefined): Promise<News[]> {
  const news: News[] = [];
  for (const silent of await silentMachines(database)) {
    if (silent === machine?.machine) continue;
    news.push(...(await handBackAll(database, await runsOfMachine(database, silent), GONE)));
    await forgetMachine(database, silent);
  }
  return news;
}

function sweepOnce(database: Database): Promise<boolean> {
  return database.transaction(async (session) => {
    const isMore = await sweep(session);
    return { statements: [], result: () => isMore };
  });
}
