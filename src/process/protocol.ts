/** What the primary and its children say to each other over their channel. Nothing here knows of runs. */

import type { CHILD_KINDS, CHILD_STATES, Gauges, ProcessInfo, Snapshot, Vitals } from "../api/system.ts";

/** As every client sees them: `GET /api/workers`, and the channel `processes`. */
export type { Gauges, ProcessInfo, Snapshot, Vitals };

/** worker: serves HTTP · agent: runs LLM loops · simulator: stands in for the model. */
export type ChildKind = (typeof CHILD_KINDS)[number];

export type FromChild =
  | { readonly type: "ready"; readonly port?: number }
  | { readonly type: "failed"; readonly detail: string }
  | { readonly type: "heartbeat"; readonly vitals: Vitals; readonly gauges: Gauges };

export type ToChild = { readonly type: "drain" } | { readonly type: "snapshot"; readonly snapshot: Snapshot };

export type ChildState = (typeof CHILD_STATES)[number];

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
