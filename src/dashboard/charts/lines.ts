/** Which lines each chart of the overview has: History in, named series out. Pure. */
import { find, maxOf, nameOf, sumOf, type History, type ProcessInfo, type Series, type Snapshot } from "../history.ts";

export interface Line {
  readonly label: string;
  /** 1 to 6, of --chart-n in styles/tokens.css. */
  readonly color: number;
  /** Dashed and thin: the smaller sister of the line before it. */
  readonly minor?: boolean;
  readonly values: Series;
}

/** More lines than this cannot be told apart: then the worst and the middle one stand for all. */
const MAX_LINES = 6;
/** Of one kind, and so one color: one is solid, one dashed. */
const MAX_OF_A_KIND = 2;
/** A process that loads its code answers late, which says nothing about its life after that. */
const START_S = 2;
const LAG_COLORS = { primary: 6, worker: 1, agent: 2, simulator: 4 } as const;
const KINDS = ["primary", "worker", "agent", "simulator"] as const;

export function healthLines(history: History): Line[] {
  const workers = history.processes().filter(({ kind }) => kind === "worker");
  const value = (process: ProcessInfo, gauge: string) =>
    history.series((snapshot) => find(settled(snapshot), process)?.gauges[gauge] ?? null);
  if (workers.length * 2 > MAX_LINES) {
    return [
      {
        label: "worst p99",
        color: 5,
        values: history.series((snapshot) => maxOf(settled(snapshot), "worker", "health_p99_ms")),
      },
      {
        label: "worst p50",
        color: 1,
        values: history.series((snapshot) => maxOf(settled(snapshot), "worker", "health_p50_ms")),
      },
    ];
  }
  return workers.flatMap((worker, index) => [
    { label: `${nameOf(worker)} p99`, color: index + 1, values: value(worker, "health_p99_ms") },
    { label: `${nameOf(worker)} p50`, color: index + 1, minor: true, values: value(worker, "health_p50_ms") },
  ]);
}

export function lagLines(history: History): Line[] {
  const processes = history.processes();
  if (processes.some(({ id }) => id > MAX_OF_A_KIND)) return KINDS.map((kind) => worstLagOf(history, kind));
  return processes.map((process) => ({
    label: nameOf(process),
    color: LAG_COLORS[process.kind],
    minor: process.id > 1,
    values: history.series((snapshot) => lagOf(find(settled(snapshot), process))),
  }));
}

export function runLines(history: History): Line[] {
  const gauge = (name: string) => history.series((snapshot) => sumOf(snapshot, "primary", name));
  return [
    { label: "in flight", color: 1, values: gauge("runs_running") },
    { label: "queued", color: 2, values: gauge("runs_queued") },
  ];
}

export function tokenLines(history: History): Line[] {
  return [{ label: "≈ tokens/s", color: 3, values: history.rate("agent", "output_tokens") }];
}

export function viewerLines(history: History): Line[] {
  return [{ label: "viewers", color: 6, values: history.series((snapshot) => sumOf(snapshot, "worker", "viewers")) }];
}

export function deliveryLines(history: History): Line[] {
  const worst = (name: string) => history.series((snapshot) => maxOf(snapshot, "worker", name));
  return [
    { label: "worst p99", color: 4, values: worst("append_to_socket_p99_ms") },
    { label: "worst p50", color: 4, minor: true, values: worst("append_to_socket_p50_ms") },
  ];
}

function worstLagOf(history: History, kind: ProcessInfo["kind"]): Line {
  const values = history.series((snapshot) => {
    const lags = settled(snapshot)
      .processes.filter((process) => process.kind === kind)
      .map((process) => process.lag_ms.p99);
    return lags.length === 0 ? null : Math.max(...lags);
  });
  return { label: `worst ${kind}`, color: LAG_COLORS[kind], values };
}

/** A process that is being replaced has no loop that could lag. */
function lagOf(process: ProcessInfo | undefined): number | null {
  return process?.pid ? process.lag_ms.p99 : null;
}

function settled(snapshot: Snapshot): Snapshot {
  return { ...snapshot, processes: snapshot.processes.filter(({ uptime_s: uptime }) => uptime >= START_S) };
}
