/**
 * What the server's own advice (`GET /api/workers`) comes to under a load: its rule, on how busy the processes were during the
 * measurement in place of five minutes. Used by `tune.ts`.
 */
import { availableCores } from "../../src/process/cores.ts";
import { adviceFor } from "../../src/process/scale.ts";
import type { Evenkeel } from "./servers.ts";
import { sum } from "./stats.ts";
import { sleep } from "./wait.ts";

/** As often as processes tell how busy they are. */
const EACH_MS = 1_000;
const MINUTES = 5;

export interface Counts {
  readonly workers: number;
  readonly agents: number;
}

/** Percent of the time in which the event loop worked, mean of all processes of a kind. */
export interface Busy {
  readonly workers: number;
  readonly agents: number;
}

/**
 * Watches for as long as the load lasts.
 * @param skipMs the first figures are of the time before the load
 */
export async function busyUnder(
  server: Evenkeel,
  { load, skipMs }: { readonly load: Promise<unknown>; readonly skipMs: number },
): Promise<Busy> {
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
  return { workers: sum(busy.worker) / busy.worker.length, agents: sum(busy.agent) / busy.agent.length };
}

/** @returns the counts that are advised: those that are there where nothing is advised */
export function advised(counts: Counts, busy: Busy): Counts {
  const cores = availableCores();
  const of = (kind: "worker" | "agent", count: number, busyPercent: number) =>
    adviceFor({ kind, count, busyPercent, bounds: { min: count, max: count } }, { cores, minutes: MINUTES })?.count ??
    count;
  return { workers: of("worker", counts.workers, busy.workers), agents: of("agent", counts.agents, busy.agents) };
}
