/** What `maintain` does each second beside the clocks, and the handing back of many runs. Called by `engine.ts`. */
import { END_REASONS } from "../rules/told.ts";
import { forgetMachine, silentMachines, type Machine } from "./clock.ts";
import type { Database } from "./database.ts";
import { handBack, runsOfMachine, type Leaving, type LeftRun } from "./release.ts";
import { endedEphemeral, hideThread, sweep } from "./removal.ts";
import { inUnit, type News } from "./unit.ts";

/** Removed runs whose rows one `maintain` deletes, a batch each. */
const SWEEPS_A_SECOND = 100;
const GONE: Leaving = { end: "gone", reason: END_REASONS.gone, isFresh: false };

/** @returns what there is to tell */
export async function tidy(database: Database, machine: Machine | undefined): Promise<News[]> {
  const news = await handBackOfSilent(database, machine);
  for (const threadId of await endedEphemeral(database, Date.now()))
    news.push((await inUnit(database, (unit) => hideThread(unit, threadId))).news);
  for (let batches = 0; batches < SWEEPS_A_SECOND; batches += 1) if (!(await sweepOnce(database))) break;
  return news;
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
