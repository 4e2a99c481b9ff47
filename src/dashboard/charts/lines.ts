/** Which lines each chart of the overview has: History in, named series out. Pure. */
import { GAUGE, LATENCY, quantileGauge } from "../../core/gauges.ts";
import {
  fullNameOf,
  maxOf,
  nameOf,
  sumOf,
  type History,
  type ProcessInfo,
  type Series,
  type Snapshot,
} from "../store/history.ts";

export interface Line {
  readonly label: string;
  /** 1 to 6, of --chart-n in styles/tokens.css. */
  readonly color: number;
  /** A dashed, thin line, which belongs to the line before it. */
  readonly minor?: boolean;
  readonly values: Series;
}

/** Which lines a chart has. `chosen`: the name of one process; null stands for the worst of each kind. */
export type Lines = (history: History, chosen: string | null) => Line[];

/** A process that is loading its code answers late, which says nothing about it later. */
const START_S = 2;
const COLORS = { primary: 6, worker: 1, agent: 2, simulator: 4 } as const;
const KINDS = ["primary", "worker", "agent", "simulator"] as const;

export function healthLines(history: History, chosen: string | null): Line[] {
  const read = (gauge: string) =>
    history.series((snapshot) =>
      chosen === null
        ? maxOf(settled(snapshot), "worker", gauge)
        : (named(settled(snapshot), chosen)?.gauges[gauge] ?? null),
    );
  return p99AndP50(chosen ?? "worst worker", (part) => read(quantileGauge(LATENCY.health, part)));
}

export function lagLines(history: History, chosen: string | null): Line[] {
  if (chosen === null) return KINDS.map((kind) => worstLagOf(history, kind));
  return p99AndP50(chosen, (part) =>
    history.series((snapshot) => {
      const process = named(settled(snapshot), chosen);
      return process && hasLoop(process) ? process.lag_ms[part] : null;
    }),
  );
}

export function runLines(history: History): Line[] {
  const gauge = (name: string) => history.series((snapshot) => sumOf(snapshot, "primary", name));
  return [
    { label: "in flight", color: 1, values: gauge(GAUGE.runsRunning) },
    { label: "queued", color: 2, values: gauge(GAUGE.runsQueued) },
  ];
}

export function tokenLines(history: History): Line[] {
  return [{ label: "≈ tokens/s", color: 3, values: history.rate("agent", GAUGE.outputTokens) }];
}

export function viewerLines(history: History): Line[] {
  return [
    { label: GAUGE.viewers, color: 6, values: history.series((snapshot) => sumOf(snapshot, "worker", GAUGE.viewers)) },
  ];
}

export function deliveryLines(history: History): Line[] {
  const worst = (part: "p50" | "p99") => {
    const gauge = quantileGauge(LATENCY.appendToSocket, part);
    return history.series((snapshot) => maxOf(snapshot, "worker", gauge));
  };
  return [
    { label: "worst p99", color: 4, values: worst("p99") },
    { label: "worst p50", color: 4, minor: true, values: worst("p50") },
  ];
}

function p99AndP50(name: string, read: (part: "p50" | "p99") => Series): Line[] {
  return [
    { label: `${name} p99`, color: COLORS.worker, values: read("p99") },
    { label: `${name} p50`, color: COLORS.worker, minor: true, values: read("p50") },
  ];
}

function worstLagOf(history: History, kind: ProcessInfo["kind"]): Line {
  const values = history.series((snapshot) => {
    const lags = settled(snapshot)
      .processes.filter((process) => process.kind === kind && hasLoop(process))
      .map((process) => process.lag_ms.p99);
    return lags.length === 0 ? null : Math.max(...lags);
  });
  const isOne = kind === "primary" || kind === "simulator";
  return { label: isOne ? `${kind} p99` : `worst ${kind} p99`, color: COLORS[kind], values };
}

/**
 * Lines belong to a place in the tree, so the replacement of a dead child continues the lines. A place that was chosen
 * while there was one machine is that machine's.
 */
function named(snapshot: Snapshot, name: string): ProcessInfo | undefined {
  const { machine, processes } = snapshot;
  return (
    processes.find((process) => fullNameOf(process, snapshot) === name) ??
    processes.find((process) => process.machine === machine && nameOf(process) === name)
  );
}

/** A process that is being replaced has no event loop that could lag. */
function hasLoop({ pid }: ProcessInfo): boolean {
  return pid !== null && pid > 0;
}

function settled(snapshot: Snapshot): Snapshot {
  return { ...snapshot, processes: snapshot.processes.filter(({ uptime_s: uptime }) => uptime >= START_S) };
}
