/**
 * What the server's own advice (`GET /api/workers`) comes to under a load: its rule, on how busy the processes were during the
 * measurement in place of five minutes. Used by `tune.ts`.
 */
import { availableCores } from "../../src/process/cores.ts";
import type { ProcessInfo } from "../../src/process/protocol.ts";
import { adviceFor, busyOf, type Busy } from "../../src/process/scale.ts";
import type { Evenkeel } from "./servers.ts";
import { sleep } from "./wait.ts";

/** As often as processes tell how busy they are. */
const EACH_MS = 1_000;
const MINUTES = 5;

export interface Counts {
  readonly workers: number;
  readonly agents: number;
}

export interface BusyByKind {
  readonly workers: Busy;
  readonly agents: Busy;
}

/**
 * Watches for as long as the load lasts.
 * @param skipMs the first figures are of the time before the load
 */
export async function busyUnder(
  server: Evenkeel,
  { load, skipMs }: { readonly load: Promise<unknown>; readonly skipMs: number },
): Promise<BusyByKind> {
  const seen: ProcessInfo[] = [];
  const over = new AbortController();
  void load.then(
    () => over.abort(),
    () => over.abort(),
  );
  await sleep(skipMs);
  do {
    seen.push(...(await server.processes()).processes);
    await sleep(EACH_MS);
  } while (!over.signal.aborted);
  return { workers: busyIn(seen, "worker"), agents: busyIn(seen, "agent") };
}

/** @throws Error when no process of the kind was seen */
function busyIn(seen: readonly ProcessInfo[], kind: ProcessInfo["kind"]): Busy {
  const busy = busyOf(seen.filter((process) => process.kind === kind));
  if (!busy) throw new Error(`There was no ${kind}.`);
  return busy;
}

/** @returns the counts that are advised: those that are there where nothing is advised */
export function advised(counts: Counts, busy: BusyByKind): Counts {
  const cores = availableCores();
  const of = (kind: "worker" | "agent", count: number, own: Busy) =>
    adviceFor({ kind, count, busy: own, bounds: { min: count, max: count } }, { cores, minutes: MINUTES })?.count ??
    count;
  return { workers: of("worker", counts.workers, busy.workers), agents: of("agent", counts.agents, busy.agents) };
}
