/** Snapshots and histories for the tests of code that uses them. */
import { History, type ProcessInfo, type Snapshot } from "./history.ts";

export const START = 1_700_000_000_000;

const HERE = { machine: "here", version: "1.0.0", state: "live", age_ms: 0 } as const;

export function process(fields: Partial<ProcessInfo> = {}): ProcessInfo {
  return {
    machine: HERE.machine,
    kind: "worker",
    id: 1,
    pid: 100,
    state: "ready",
    uptime_s: 10,
    restarts: 0,
    rss_bytes: 1,
    cpu_percent: 1,
    busy_percent: 1,
    cpu_granted_percent: 100,
    lag_ms: { p50: 1, p99: 2 },
    in_flight: 0,
    gauges: {},
    last_exit: null,
    leaving: 0,
    ...fields,
  };
}

/** The n-th second of a server's life. */
export function snapshot(n: number, processes: ProcessInfo[] = [process()], fields: Partial<Snapshot> = {}): Snapshot {
  const machines = { machine: HERE.machine, machines: [HERE] };
  return { seq: n, at: START + n * 1_000, ...machines, processes, marks: [], advice: [], ...fields };
}

export function historyOf(...snapshots: Snapshot[]): History {
  const history = new History();
  for (const one of snapshots) history.add(one);
  return history;
}

/** An agent process whose model is not called. */
export function agent(id: number, output_tokens: number, gauges: Record<string, number> = {}): ProcessInfo {
  return process({ kind: "agent", id, gauges: { output_tokens, model_calls: 0, model_waiting: 0, ...gauges } });
}
