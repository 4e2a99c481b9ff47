/** Measures this process: memory, CPU and how late its event loop runs. Used by children and the primary. */
import { readFileSync } from "node:fs";
import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import type { Vitals } from "./protocol.ts";

// The sampler wakes up this often and reports the time between wake-ups, so it is subtracted below. A lag
// shorter than this interval is seen only by chance. A shorter interval would cost more: these wake-ups are
// most of the CPU of an idle tree. [50 ms: 2.45 % of a core, 100 ms: 2.15 %.]
const RESOLUTION_MS = 100;

export class VitalsMeter {
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #cpu = process.cpuUsage();
  #loop = performance.eventLoopUtilization();
  #at = performance.now();
  #cores = readCoreTimes();

  constructor() {
    this.#delay.enable();
  }

  /** What happened since the last call. */
  read(inFlight: number): Vitals {
    const cpu = process.cpuUsage(this.#cpu);
    const elapsedMs = performance.now() - this.#at;
    const loop = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(loop, this.#loop);
    this.#loop = loop;
    this.#cpu = process.cpuUsage();
    this.#at = performance.now();
    const cores = readCoreTimes();
    const granted = shareGranted(this.#cores, cores);
    this.#cores = cores;
    const lag = { p50: this.#lagMs(50), p99: this.#lagMs(99) };
    this.#delay.reset();
    return {
      rss_bytes: process.memoryUsage.rss(),
      cpu_percent: round((cpu.user + cpu.system) / 10 / elapsedMs),
      busy_percent: round(utilization * 100),
      cpu_granted_percent: round(granted * 100),
      lag_ms: lag,
      in_flight: inFlight,
    };
  }

  stop(): void {
    this.#delay.disable();
  }

  #lagMs(percentile: number): number {
    const delayMs = this.#delay.percentile(percentile) / 1e6;
    return round(Math.max(0, delayMs - RESOLUTION_MS));
  }
}

/** Since its start, the main thread ran on a core for `ran`, and waited for one for `waited`; in nanoseconds. */
interface CoreTimes {
  readonly ran: number;
  readonly waited: number;
}

/** @returns undefined where the system does not tell: only Linux does (https://docs.kernel.org/scheduler/sched-stats.html) */
function readCoreTimes(): CoreTimes | undefined {
  try {
    const [ran = Number.NaN, waited = Number.NaN] = readFileSync("/proc/self/schedstat", "utf8").split(" ").map(Number);
    return { ran, waited };
  } catch {
    return undefined;
  }
}

/** @returns 1 where the system does not tell, or while the thread needed no core */
function shareGranted(before: CoreTimes | undefined, now: CoreTimes | undefined): number {
  if (!before || !now) return 1;
  const ran = now.ran - before.ran;
  const needed = ran + now.waited - before.waited;
  return needed > 0 ? ran / needed : 1;
}

function round(value: number): number {
  return Number.isFinite(value) ? Math.round(value * 10) / 10 : 0;
}
