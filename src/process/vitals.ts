/** Measures this process: memory, CPU and how late its event loop runs. Used by children and the primary. */
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
    const lag = { p50: this.#lagMs(50), p99: this.#lagMs(99) };
    this.#delay.reset();
    return {
      rss_bytes: process.memoryUsage.rss(),
      cpu_percent: round((cpu.user + cpu.system) / 10 / elapsedMs),
      busy_percent: round(utilization * 100),
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

function round(value: number): number {
  return Number.isFinite(value) ? Math.round(value * 10) / 10 : 0;
}
