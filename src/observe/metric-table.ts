/**
 * The figures of a process that `GET /metrics` tells, one entry each: its name and meaning, and where its value stands in the
 * process's vitals and gauges. Read by `metrics.ts`.
 */
import { ACTIVITY_TYPES } from "../core/activity.ts";
import { busGauge, BUSES, GAUGE, keyOfGauge, LATENCY, quantileGauge, type Latency } from "../core/gauges.ts";
import type { Gauges, OwnProcess } from "../process/protocol.ts";

export interface Metric {
  readonly name: string;
  readonly help: string;
  /** Counters only grow while their process lives, and begin at 0 in the next one. */
  readonly type: "gauge" | "counter";
  /** The label that tells the samples apart, if `from` returns several: its values are the keys. */
  readonly by?: "quantile" | "status" | "type" | "key" | "bus";
  /** This metric is also exported for a place in the tree that has no process at the moment. */
  readonly always?: true;
  /** Undefined: this process has no such figure, and gives no sample. */
  readonly from: (process: OwnProcess) => Sample | Readonly<Record<string, Sample>>;
}

type Sample = number | undefined;

/** Base units, as Prometheus asks for: seconds, bytes, ratios. */
export const METRICS: readonly Metric[] = [
  {
    name: "evenkeel_process_ready",
    help: "1 while the process serves, 0 while it starts, stalls, drains or waits to be restarted.",
    type: "gauge",
    always: true,
    from: ({ state }) => (state === "ready" ? 1 : 0),
  },
  {
    name: "evenkeel_process_restarts_total",
    help: "How often a process that died in this place was replaced.",
    type: "counter",
    always: true,
    from: ({ restarts }) => restarts,
  },
  {
    name: "evenkeel_process_uptime_seconds",
    help: "How long the process has lived.",
    type: "gauge",
    from: ({ uptime_s: uptime }) => uptime,
  },
  {
    name: "evenkeel_process_resident_memory_bytes",
    help: "Resident memory.",
    type: "gauge",
    from: ({ rss_bytes: rss }) => rss,
  },
  {
    name: "evenkeel_process_cpu_ratio",
    help: "CPU time over time, of one core, in the last second.",
    type: "gauge",
    from: ({ cpu_percent: percent }) => percent / 100,
  },
  {
    name: "evenkeel_process_busy_ratio",
    help: "Share of the last second in which the event loop worked: above 0.75 more processes of the kind would help.",
    type: "gauge",
    from: ({ busy_percent: percent }) => percent / 100,
  },
  {
    name: "evenkeel_process_cpu_granted_ratio",
    help: "Of the time in which the main thread could have worked, the share in which it had a core: below 0.5 the machine has too few cores.",
    type: "gauge",
    from: ({ cpu_granted_percent: percent }) => percent / 100,
  },
  {
    name: "evenkeel_process_in_flight",
    help: "Requests of a worker, runs of an agent, streams of the simulated model.",
    type: "gauge",
    from: ({ in_flight: inFlight }) => inFlight,
  },
  {
    name: "evenkeel_event_loop_lag_seconds",
    help: "How late the event loop ran what was due, in the last second.",
    type: "gauge",
    by: "quantile",
    from: ({ lag_ms: { p50, p99 } }) => ({ "0.5": p50 / 1000, "0.99": p99 / 1000 }),
  },
  {
    name: "evenkeel_runs",
    help: "Runs under way by status, of all machines, told by the primary of one of them; parked, told by each agent, are those of the running ones that only wait.",
    type: "gauge",
    by: "status",
    from: ({ gauges }) => ({
      queued: gauges[GAUGE.runsQueued],
      running: gauges[GAUGE.runsRunning],
      parked: gauges[GAUGE.runsParked],
    }),
  },
  {
    name: "evenkeel_activities_total",
    help: "Runs that were queued, started, completed, failed and so on, and what else is an activity, of all machines. Told by the primary of one of them. Without those of threads that were deleted within a second.",
    type: "counter",
    by: "type",
    from: ({ gauges }) => Object.fromEntries(ACTIVITY_TYPES.map((type) => [type, gauges[type]])),
  },
  {
    name: "evenkeel_bus_connected",
    help: "1 while news of commits reaches the process over its bus (notify or redis), 0 while it has to look at the database and events come up to a second late. Only with Postgres.",
    type: "gauge",
    by: "bus",
    from: ({ gauges }) => Object.fromEntries(BUSES.map((name) => [name, gauges[busGauge(name)]])),
  },
  {
    name: "evenkeel_health_seconds",
    help: "What a client of this worker waits for GET /health, over the last 5 to 10 s, blocked loops included.",
    type: "gauge",
    by: "quantile",
    from: ({ gauges }) => quantiles(gauges, LATENCY.health),
  },
  {
    name: "evenkeel_requests_total",
    help: "Requests and sockets of each API key or identity provider, by its name. Those without a key are not counted.",
    type: "counter",
    by: "key",
    from: ({ gauges }) => byKey(gauges),
  },
  {
    name: "evenkeel_stream_viewers",
    help: "Subscriptions that are followed, over SSE and WebSocket.",
    type: "gauge",
    from: ({ gauges }) => gauges[GAUGE.viewers],
  },
  {
    name: "evenkeel_stream_queued_bytes",
    help: "Bytes that wait in the worker for the sockets of viewers.",
    type: "gauge",
    from: ({ gauges }) => gauges[GAUGE.queuedBytes],
  },
  {
    name: "evenkeel_stream_slowest_behind_events",
    help: "How many events the viewer that is furthest behind has not been sent.",
    type: "gauge",
    from: ({ gauges }) => gauges[GAUGE.slowestBehindEvents],
  },
  {
    name: "evenkeel_stream_append_to_socket_seconds",
    help: "From the append of an event to its write to a viewer's socket, over the last 5 to 10 s.",
    type: "gauge",
    by: "quantile",
    from: ({ gauges }) => quantiles(gauges, LATENCY.appendToSocket),
  },
  {
    name: "evenkeel_stream_closed_as_slow_total",
    help: "Viewers closed because they took no bytes for SLOW_CLIENT_MS.",
    type: "counter",
    from: ({ gauges }) => gauges[GAUGE.closedAsSlow],
  },
  {
    name: "evenkeel_tool_calls",
    help: "Tool calls that a thread or process has.",
    type: "gauge",
    from: ({ gauges }) => gauges[GAUGE.toolCalls],
  },
  {
    name: "evenkeel_tool_calls_waiting",
    help: "Tool calls that wait until there may be one more thread or process.",
    type: "gauge",
    from: ({ gauges }) => gauges[GAUGE.toolCallsWaiting],
  },
  {
    name: "evenkeel_tool_calls_given_up",
    help: "Tool calls that were given up and have not ended yet.",
    type: "gauge",
    from: ({ gauges }) => gauges[GAUGE.toolCallsGivenUp],
  },
  {
    name: "evenkeel_tool_threads",
    help: "Threads for tools.",
    type: "gauge",
    from: ({ gauges }) => gauges[GAUGE.toolThreads],
  },
  {
    name: "evenkeel_tool_processes",
    help: "Processes for tools.",
    type: "gauge",
    from: ({ gauges }) => gauges[GAUGE.toolProcesses],
  },
  {
    name: "evenkeel_model_calls",
    help: "Model calls in flight; those that wait for their next attempt are not among them.",
    type: "gauge",
    from: ({ gauges }) => gauges[GAUGE.modelCalls],
  },
  {
    name: "evenkeel_model_waiting",
    help: "Model calls that wait for their next attempt.",
    type: "gauge",
    from: ({ gauges }) => gauges[GAUGE.modelWaiting],
  },
  {
    name: "evenkeel_model_wait_seconds",
    help: "The longest time that one of those has left to wait.",
    type: "gauge",
    from: ({ gauges }) => seconds(gauges[GAUGE.modelWaitMs]),
  },
  {
    name: "evenkeel_model_rate_limited",
    help: "Model calls that wait because the model answered 429.",
    type: "gauge",
    from: ({ gauges }) => gauges[GAUGE.modelRateLimited],
  },
  {
    name: "evenkeel_model_breaker_open",
    help: "Models that the process leaves alone because they keep failing; one call at a time tries.",
    type: "gauge",
    from: ({ gauges }) => gauges[GAUGE.modelBreakerOpen],
  },
  {
    name: "evenkeel_model_failures_total",
    help: "Attempts at model calls that failed.",
    type: "counter",
    from: ({ gauges }) => gauges[GAUGE.modelFailures],
  },
  {
    name: "evenkeel_output_tokens_total",
    help: "Tokens that the model has said. An estimate while they stream; each finished answer corrects the ratio.",
    type: "counter",
    from: ({ gauges }) => gauges[GAUGE.outputTokens],
  },
  {
    name: "evenkeel_input_tokens_total",
    help: "Tokens that the model has read for whole answers, those from the prompt cache included.",
    type: "counter",
    from: ({ gauges }) => gauges[GAUGE.inputTokens],
  },
  {
    name: "evenkeel_cached_input_tokens_total",
    help: "Tokens of evenkeel_input_tokens_total that came from the prompt cache.",
    type: "counter",
    from: ({ gauges }) => gauges[GAUGE.cachedInputTokens],
  },
];

function quantiles(gauges: Gauges, name: Latency): Record<string, Sample> {
  return { "0.5": seconds(gauges[quantileGauge(name, "p50")]), "0.99": seconds(gauges[quantileGauge(name, "p99")]) };
}

function byKey(gauges: Gauges): Record<string, Sample> {
  const counts = Object.entries(gauges).map(([gauge, count]) => [keyOfGauge(gauge), count] as const);
  return Object.fromEntries(counts.filter(([key]) => key !== undefined));
}

function seconds(ms: Sample): Sample {
  return ms === undefined ? undefined : ms / 1000;
}
