/**
 * The names of the figures that processes send with their heartbeats. The process that counts a figure, `/metrics` and
 * the dashboard must agree on its name, so each name stands here once. Units are in the names.
 */
export const GAUGE = {
  // Gauges of the primary, counted by its upkeep thread.
  runsQueued: "runs_queued",
  runsRunning: "runs_running",
  // Gauges of a worker.
  viewers: "viewers",
  queuedBytes: "queued_bytes",
  slowestBehindEvents: "slowest_behind_events",
  closedAsSlow: "closed_as_slow",
  // Gauges of an agent process.
  runsParked: "runs_parked",
  outputTokens: "output_tokens",
  inputTokens: "input_tokens",
  cachedInputTokens: "cached_input_tokens",
  modelCalls: "model_calls",
  modelWaiting: "model_waiting",
  modelWaitMs: "model_wait_ms",
  modelRateLimited: "model_rate_limited",
  modelFailures: "model_failures",
  modelBreakerOpen: "model_breaker_open",
  modelBreakerMs: "model_breaker_ms",
  toolCalls: "tool_calls",
  toolCallsWaiting: "tool_calls_waiting",
  toolCallsGivenUp: "tool_calls_given_up",
  toolThreads: "tool_threads",
  toolProcesses: "tool_processes",
} as const;

/** The buses by which processes on Postgres tell each other news. */
export const BUSES = ["notify", "redis"] as const;

export interface BusState {
  readonly name: (typeof BUSES)[number];
  /** False while news does not come to this process, so that it has to look at the database. */
  readonly isConnected: boolean;
}

/** @returns the gauge that is 1 while a process that uses this bus is connected to it, and else 0 */
export function busGauge(name: BusState["name"]): string {
  return `bus_${name}`;
}

/** @param bus null for a storage without a bus, which has no such gauge */
export function busGauges(bus: BusState | null): Readonly<Record<string, number>> {
  return bus ? { [busGauge(bus.name)]: Number(bus.isConnected) } : {};
}

/** Latencies that a worker measures; each has three gauges, made by the functions below. */
export const LATENCY = { health: "health", appendToSocket: "append_to_socket" } as const;
export type Latency = (typeof LATENCY)[keyof typeof LATENCY];

/** @returns the gauge that holds a quantile of a latency, in milliseconds */
export function quantileGauge(latency: Latency, quantile: "p50" | "p99"): string {
  return `${latency}_${quantile}_ms`;
}

const BY_KEY = "requests_by_key:";

/** @param via an API key or identity provider. @returns the gauge that counts its requests */
export function keyGauge(via: string): string {
  return BY_KEY + via;
}

/** @returns the key or provider whose requests the gauge counts; undefined for any other gauge */
export function keyOfGauge(gauge: string): string | undefined {
  return gauge.startsWith(BY_KEY) ? gauge.slice(BY_KEY.length) : undefined;
}

/** @returns the gauge that says how many measurements the quantiles of a latency are based on */
export function samplesGauge(latency: Latency): string {
  return `${latency}_samples`;
}
