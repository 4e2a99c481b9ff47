/**
 * `GET /metrics`: the primary's snapshot of all its processes in Prometheus' text format. A scrape of the shared
 * port reaches a random worker. If a worker reported only itself, counters would jump back and forth, so each
 * worker reports all processes of its machine. Prometheus scrapes every machine, so none reports another one's
 * processes. What the primary counts in the storage is the same on all machines: only one of them reports it, so that
 * a sum over machines is right. Called by `routes/metrics.ts`.
 */
import type { MetricConfiguration } from "prom-client";
import type { OwnProcess, Snapshot } from "../process/protocol.ts";
import { METRICS, type Metric } from "./metric-table.ts";

/** No sample for a kind whose number of processes needs no change. */
const ADVISED = {
  name: "evenkeel_processes_advised",
  help: "How many processes of the kind would do, where the load of five minutes says that WORKERS or AGENTS is wrong.",
};

const BUILD = {
  name: "evenkeel_build_info",
  help: "1, with the version that the machine runs and the name that other machines show it by.",
};

const MACHINES = {
  name: "evenkeel_machines",
  help: "Machines on the same storage by state, told by one of them; silent are those that stopped reporting in the last five minutes.",
};

/** All machines, as `Snapshot` has them. */
export type Shown = Pick<Snapshot, "machine" | "machines" | "processes" | "advice">;

/** prom-client is loaded by the first scrape, as many servers never see one. [18 MB, and 30 ms once; then 1 ms a scrape.] */
export async function renderMetrics(shown: Shown): Promise<{ readonly contentType: string; readonly text: string }> {
  const { Counter, Gauge, Registry } = await import("prom-client");
  // A new registry for each scrape: figures of ended processes do not stay, and two scrapes at once do not disturb
  // each other.
  const registry = new Registry();
  const processes = reportedProcesses(shown);
  for (const metric of METRICS) {
    const { name, help, type, by } = metric;
    const labelNames = ["kind", "id", ...(by ? [by] : [])];
    const options: MetricConfiguration<string> = { name, help, labelNames, registers: [registry] };
    const target = type === "counter" ? new Counter(options) : new Gauge(options);
    for (const { labels, value } of samplesOf(metric, processes)) target.inc(labels, value);
  }
  const gauge = (options: { readonly name: string; readonly help: string }, labelNames: string[]) =>
    new Gauge({ ...options, labelNames, registers: [registry] });
  const advised = gauge(ADVISED, ["kind"]);
  for (const { kind, count, machine } of shown.advice) if (machine === shown.machine) advised.set({ kind }, count);
  const build = gauge(BUILD, ["version", "machine"]);
  const own = shown.machines.find(({ machine }) => machine === shown.machine);
  if (own) build.set({ version: own.version, machine: own.machine }, 1);
  const machines = gauge(MACHINES, ["state"]);
  for (const { state } of tellsOfStorage(shown) ? shown.machines : []) machines.inc({ state });
  return { contentType: registry.contentType, text: await registry.metrics() };
}

/** The processes of this machine. A primary counts all its gauges in the storage. */
function reportedProcesses(shown: Shown): OwnProcess[] {
  const own = shown.processes.filter(({ machine }) => machine === shown.machine);
  if (tellsOfStorage(shown)) return own;
  return own.map((process) => (process.kind === "primary" ? { ...process, gauges: {} } : process));
}

/** The first live machine by name does. For some seconds after it died, none may do so. */
function tellsOfStorage({ machine, machines }: Shown): boolean {
  return machines.every((other) => other.state === "silent" || machine <= other.machine);
}

function samplesOf({ by, always, from }: Metric, processes: readonly OwnProcess[]) {
  return processes.flatMap((process) => {
    // No memory means no heartbeat yet, or none any more: its figures would be zeros that nobody measured.
    if (process.rss_bytes === 0 && !always) return [];
    const { kind, id } = process;
    const read = from(process);
    const values = typeof read === "object" ? Object.entries(read) : [["", read] as const];
    return values.flatMap(([key, value]) =>
      value === undefined ? [] : [{ labels: { kind, id, ...(by && { [by]: key }) }, value }],
    );
  });
}
