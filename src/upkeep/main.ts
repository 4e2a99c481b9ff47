/** Entry of the upkeep thread: once a second it does the storage's upkeep, and tells what became of the runs. */
import { setTimeout } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { ACTIVITY_TYPES, type ActivityType } from "../core/activity.ts";
import type { Engine } from "../engine/engine.ts";
import { openEngine } from "../engine/open.ts";
import type { Gauges } from "../process/protocol.ts";
import { lowerThreadPriority } from "../process/priority.ts";
import type { UpkeepNews, UpkeepTask } from "./upkeep.ts";

const UPKEEP_MS = 1_000;

/** How many activities of each type there were in all processes since `after`. */
class ActivityCounter {
  readonly #engine: Engine;
  readonly #totals = Object.fromEntries(ACTIVITY_TYPES.map((type) => [type, 0])) as Record<ActivityType, number>;
  #after: number;

  constructor(engine: Engine, after: number) {
    this.#engine = engine;
    this.#after = after;
  }

  async read(): Promise<Record<ActivityType, number>> {
    const { last, byType } = await this.#engine.countActivities(this.#after);
    this.#after = last;
    for (const type of ACTIVITY_TYPES) this.#totals[type] += byType[type] ?? 0;
    return this.#totals;
  }
}

const { storage, lastActivity } = workerData as UpkeepTask;
const stopped = new AbortController();
// Any message means stop.
parentPort?.once("message", () => stopped.abort());
lowerThreadPriority();
const engine = await openEngine(storage);
const activities = new ActivityCounter(engine, lastActivity);
while (!stopped.signal.aborted) {
  // The one begins a second after the other has ended, so that a slow disk does not pile them up.
  await setTimeout(UPKEEP_MS, undefined, { signal: stopped.signal }).catch(() => {});
  if (!stopped.signal.aborted) tell(await upkeep());
}
await engine.close();

async function upkeep(): Promise<UpkeepNews> {
  try {
    await engine.maintain();
    return { gauges: await look() };
  } catch (error) {
    return { error };
  }
}

async function look(): Promise<Gauges> {
  const { queued, running, waiting } = await engine.counts();
  return { runs_queued: queued, runs_running: running, runs_waiting: waiting, ...(await activities.read()) };
}

function tell(news: UpkeepNews): void {
  // The empty list: see `Upkeep.stop`.
  parentPort?.postMessage(news, []);
}
