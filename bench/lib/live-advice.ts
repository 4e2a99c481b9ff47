/**
 * What the server's own advice (`GET /api/workers`) comes to under a load: its rule, on how busy the processes were during the
 * measurement in place of five minutes. Used by `tune.ts`.
 */
import { availableCores } from "../../src/process/cores.ts";
import { adviceFor } from "../../src/process/scale.ts";
import type { Evenkeel } from "./servers.ts";
import { sleep } from "./wait.ts";

/** As often as processes tell how busy they are. */
const EACH_MS = 1_000;
const MINUTES = 5;

export interface Counts {
  readonly workers: number;
  readonly agents: number;
}

/**
 * Watches for as long as the load lasts.
 * @param skipMs the first figures are of the time before the load
 * @returns the counts that are advised: those that are there where nothing is advised
 */
export async function adviceUnder(
  server: Evenkeel,
  counts: Counts,
  { load, skipMs }: { readonly load: Promise<unknown>; readonly skipMs: number },
): Promise<Counts> {
  const busy = { worker: [] as number[], agent: [] as number[] };
  const over = new AbortController();
  void load.then(
    () => over.abort(),
    () => over.abort(),
  );
  await sleep(skipMs);
  do {
    const { processes } = await server.processes();
    for (const kind of ["worker", "agent"] as const)
      busy[kind].push(...processes.filter((process) => process.kind === kind).map((process) => process.busy_percent));
    await sleep(EACH_MS);
  } while (!over.signal.aborted);
  return {
    workers: advised("worker", counts.workers, busy.worker),
    agents: advised("agent", counts.agents, busy.agent),
  };
}

function advised(kind: "worker" | "agent", count: number, busy: readonly number[]): number {
  const busyPercent = busy.reduce((sum, percent) => sum + percent, 0) / busy.length;
  const load = { kind, count, busyPercent, bounds: { min: count, max: count } };
  return adviceFor(load, { cores: availableCores(), minutes: MINUTES })?.count ?? count;
}
