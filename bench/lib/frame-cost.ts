/** What a streamed token costs the processes that serve it: CPU over tokens that arrived, of many streams at once. */
import { Streams } from "./helpers.ts";
import type { Processes } from "./processes.ts";
import { cpuMs } from "./usage.ts";
import { sleep } from "./wait.ts";

export interface FrameTarget {
  readonly base: string;
  readonly pids: readonly number[];
  readonly path: string;
  readonly body: object;
}

export interface FrameCost {
  readonly cpuMicros: number;
  readonly tokensPerSecond: number;
}

export interface FrameLoad {
  readonly streams: number;
  readonly windowMs: number;
}

export async function frameCost(
  processes: Processes,
  { base, pids, path, body }: FrameTarget,
  { streams, windowMs }: FrameLoad,
): Promise<FrameCost> {
  await using load = new Streams(processes);
  await load.open({ base, path, streams, body });
  await sleep(500);
  const cost = await frameCostOf(load, pids, windowMs);
  await load.close();
  // Wait until the canceled runs have ended before the other side is measured.
  await sleep(200);
  return cost;
}

/** The same cost for streams that are open and stay open. */
export async function frameCostOf(load: Streams, pids: readonly number[], windowMs: number): Promise<FrameCost> {
  const before = { cpu: cpuMs(pids), tokens: (await load.count()).tokens, at: performance.now() };
  await sleep(windowMs);
  const tokens = (await load.count()).tokens - before.tokens;
  const cpu = cpuMs(pids) - before.cpu;
  const seconds = (performance.now() - before.at) / 1_000;
  return { cpuMicros: (cpu * 1_000) / tokens, tokensPerSecond: tokens / seconds };
}
