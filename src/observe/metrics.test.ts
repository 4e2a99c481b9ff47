import { expect, test } from "vitest";
import type { ProcessInfo } from "../process/protocol.ts";
import { renderMetrics, type Shown } from "./metrics.ts";

const HERE = { machine: "here", version: "1.2.3", state: "live", age_ms: 0 } as const;

function makeProcess(over: Partial<ProcessInfo>): ProcessInfo {
  return {
    kind: "worker",
    id: 1,
    pid: 4711,
    state: "ready",
    uptime_s: 60,
    rss_bytes: 1_000_000,
    cpu_percent: 12.5,
    busy_percent: 25,
    cpu_granted_percent: 90,
    lag_ms: { p50: 1, p99: 20 },
    in_flight: 3,
    restarts: 2,
    gauges: {},
    last_exit: null,
    leaving: 0,
    machine: "here",
    ...over,
  };
}

function other(machine: string, state: "live" | "silent") {
  return { ...HERE, machine, state };
}

/** The samples, without help and types. */
async function samplesOf(...processes: ProcessInfo[]): Promise<string[]> {
  return samplesOfAll({ processes });
}

/** @param shown by default one machine without processes */
async function samplesOfAll(shown: Partial<Shown>): Promise<string[]> {
  const { text } = await renderMetrics({ machine: "here", machines: [HERE], processes: [], advice: [], ...shown });
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

test("every process has its samples, in base units, under its kind and id", async () => {
  const samples = await samplesOf(makeProcess({}), makeProcess({ kind: "agent", id: 2, in_flight: 7 }));

  for (const sample of [
    'evenkeel_process_ready{kind="worker",id="1"} 1',
    'evenkeel_process_restarts_total{kind="worker",id="1"} 2',
    'evenkeel_process_uptime_seconds{kind="worker",id="1"} 60',
    'evenkeel_process_resident_memory_bytes{kind="worker",id="1"} 1000000',
    'evenkeel_process_cpu_ratio{kind="worker",id="1"} 0.125',
    'evenkeel_event_loop_lag_seconds{kind="worker",id="1",quantile="0.5"} 0.001',
    'evenkeel_event_loop_lag_seconds{kind="worker",id="1",quantile="0.99"} 0.02',
    'evenkeel_process_in_flight{kind="worker",id="1"} 3',
    'evenkeel_process_in_flight{kind="agent",id="2"} 7',
  ]) {
    expect(samples).toContain(sample);
  }
});

test("gauges of the services are metrics of their own", async () => {
  const primary = { runs_queued: 1, runs_running: 2, runs_parked: 3, "run.failed": 4 };
  const worker = {
    health_p50_ms: 0.5,
    health_p99_ms: 4,
    viewers: 5,
    queued_bytes: 6,
    slowest_behind_events: 7,
    append_to_socket_p50_ms: 8,
    append_to_socket_p99_ms: 9,
    closed_as_slow: 10,
    bus_redis: 0,
  };
  const agent = {
    output_tokens: 11,
    input_tokens: 17,
    cached_input_tokens: 18,
    model_calls: 12,
    model_waiting: 13,
    model_wait_ms: 1_400,
    model_rate_limited: 15,
    model_failures: 16,
    model_breaker_open: 1,
    bus_notify: 1,
  };

  const samples = await samplesOf(
    makeProcess({ kind: "primary", gauges: primary }),
    makeProcess({ kind: "worker", gauges: worker }),
    makeProcess({ kind: "agent", gauges: agent }),
  );

  expect(samples.filter((sample) => !/^evenkeel_(process|event_loop|build|machines)/.test(sample))).toEqual([
    'evenkeel_runs{kind="primary",id="1",status="queued"} 1',
    'evenkeel_runs{kind="primary",id="1",status="running"} 2',
    'evenkeel_runs{kind="primary",id="1",status="parked"} 3',
    'evenkeel_activities_total{kind="primary",id="1",type="run.failed"} 4',
    'evenkeel_bus_connected{kind="worker",id="1",bus="redis"} 0',
    'evenkeel_bus_connected{kind="agent",id="1",bus="notify"} 1',
    'evenkeel_health_seconds{kind="worker",id="1",quantile="0.5"} 0.0005',
    'evenkeel_health_seconds{kind="worker",id="1",quantile="0.99"} 0.004',
    'evenkeel_stream_viewers{kind="worker",id="1"} 5',
    'evenkeel_stream_queued_bytes{kind="worker",id="1"} 6',
    'evenkeel_stream_slowest_behind_events{kind="worker",id="1"} 7',
    'evenkeel_stream_append_to_socket_seconds{kind="worker",id="1",quantile="0.5"} 0.008',
    'evenkeel_stream_append_to_socket_seconds{kind="worker",id="1",quantile="0.99"} 0.009',
    'evenkeel_stream_closed_as_slow_total{kind="worker",id="1"} 10',
    'evenkeel_model_calls{kind="agent",id="1"} 12',
    'evenkeel_model_waiting{kind="agent",id="1"} 13',
    'evenkeel_model_wait_seconds{kind="agent",id="1"} 1.4',
    'evenkeel_model_rate_limited{kind="agent",id="1"} 15',
    'evenkeel_model_breaker_open{kind="agent",id="1"} 1',
    'evenkeel_model_failures_total{kind="agent",id="1"} 16',
    'evenkeel_output_tokens_total{kind="agent",id="1"} 11',
    'evenkeel_input_tokens_total{kind="agent",id="1"} 17',
    'evenkeel_cached_input_tokens_total{kind="agent",id="1"} 18',
  ]);
});

test("a figure that a process does not have gives no sample", async () => {
  const samples = await samplesOf(makeProcess({ gauges: { health_p50_ms: 1 } }));

  expect(samples.filter((sample) => sample.startsWith("evenkeel_health"))).toHaveLength(1);
  expect(samples.filter((sample) => sample.startsWith("evenkeel_model"))).toEqual([]);
});

test("a place whose process is gone tells only that, and how often it was replaced", async () => {
  const samples = await samplesOf(makeProcess({ pid: null, state: "restarting", rss_bytes: 0 }));

  expect(samples.filter((sample) => sample.startsWith("evenkeel_process"))).toEqual([
    'evenkeel_process_ready{kind="worker",id="1"} 0',
    'evenkeel_process_restarts_total{kind="worker",id="1"} 2',
  ]);
});

test("what the load advises is a metric, by kind", async () => {
  const text = "workers 82 % busy for 5 min: 6 would be 55 %";
  const advice = [
    { machine: "here", kind: "worker", count: 6, text },
    { machine: "there", kind: "agent", count: 3, text },
  ] as const;

  const samples = await samplesOfAll({ advice });

  expect(samples.filter((sample) => sample.startsWith("evenkeel_processes_advised"))).toEqual([
    'evenkeel_processes_advised{kind="worker"} 6',
  ]);
});

test("how busy an event loop is, is told as a ratio", async () => {
  expect(await samplesOf(makeProcess({ busy_percent: 82 }))).toContain(
    'evenkeel_process_busy_ratio{kind="worker",id="1"} 0.82',
  );
});

test("the processes of other machines are left to those machines, which are scraped, too", async () => {
  const samples = await samplesOf(makeProcess({ machine: "there", id: 7 }), makeProcess({}));

  expect(samples.filter((sample) => sample.startsWith("evenkeel_process_ready"))).toEqual([
    'evenkeel_process_ready{kind="worker",id="1"} 1',
  ]);
  expect(samples).toContain('evenkeel_build_info{version="1.2.3",machine="here"} 1');
});

test("what is counted in the storage is reported by one machine only: the first live one by name", async () => {
  const processes = [makeProcess({ kind: "primary", gauges: { runs_queued: 1, "run.failed": 4 } })];
  const ofStorage = async (...others: Shown["machines"]) => {
    const samples = await samplesOfAll({ processes, machines: [HERE, ...others] });
    return samples.filter((sample) => /^evenkeel_(runs|activities|machines)/.test(sample));
  };
  const reported = [
    'evenkeel_runs{kind="primary",id="1",status="queued"} 1',
    'evenkeel_activities_total{kind="primary",id="1",type="run.failed"} 4',
  ];

  expect(await ofStorage(other("aside", "live"))).toEqual([]);
  expect(await ofStorage(other("there", "live"))).toEqual([...reported, 'evenkeel_machines{state="live"} 2']);
  expect(await ofStorage(other("aside", "silent"))).toEqual([
    ...reported,
    'evenkeel_machines{state="live"} 1',
    'evenkeel_machines{state="silent"} 1',
  ]);
});
