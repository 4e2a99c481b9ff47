/** What the primary and its children say to each other over IPC. Nothing here knows of runs. */

/** worker: serves HTTP · agent: runs LLM loops · simulator: stands in for the model. */
export type ChildKind = "worker" | "agent" | "simulator";

export interface Vitals {
  readonly rss_bytes: number;
  /** Of one core, over the last heartbeat interval. */
  readonly cpu_percent: number;
  /** How late the event loop ran what was due, over the last heartbeat interval. */
  readonly lag_ms: { readonly p50: number; readonly p99: number };
  /** Requests of a worker, runs of an agent, streams of the simulator. */
  readonly in_flight: number;
}

/** A service's own figures by name, opaque here. What a process cannot tell, it leaves out. */
export type Gauges = Readonly<Record<string, number>>;

export type FromChild =
  | { readonly type: "ready"; readonly port?: number }
  | { readonly type: "failed"; readonly detail: string }
  | { readonly type: "heartbeat"; readonly vitals: Vitals; readonly gauges: Gauges };

export type ToChild = { readonly type: "drain" } | { readonly type: "snapshot"; readonly snapshot: Snapshot };

export type ChildState = "starting" | "ready" | "stalled" | "draining" | "restarting";

/** One process, as `GET /api/workers` shows it. */
export interface ProcessInfo extends Vitals {
  readonly kind: "primary" | ChildKind;
  readonly id: number;
  readonly pid: number | null;
  readonly state: ChildState;
  readonly uptime_s: number;
  readonly restarts: number;
  readonly gauges: Gauges;
  /** Why the last child of this place died; null while none has. `at` in epoch ms. */
  readonly last_exit: { readonly at: number; readonly reason: string } | null;
}

/** All processes at one moment. */
export interface Snapshot {
  /** Counts up from 1 in the primary; only grows while it lives. */
  readonly seq: number;
  /** Epoch ms, by the primary's clock. */
  readonly at: number;
  readonly processes: readonly ProcessInfo[];
}

export const HEARTBEAT_MS = 1_000;

/** Exit codes of children, and of the primary itself. */
export const EXIT = {
  drained: 0,
  crashed: 70,
  /** EX_CONFIG: no restart can help. */
  config: 78,
  /** 128 + SIGINT: a second Ctrl-C. */
  interrupted: 130,
} as const;
