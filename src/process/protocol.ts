/** What the primary and its children say to each other over their channel. Nothing here knows of runs. */

import type {
  CHILD_KINDS,
  CHILD_STATES,
  Gauges,
  Mark,
  OwnAdvice,
  OwnMark,
  OwnProcess,
  ProcessInfo,
  Snapshot,
  Vitals,
} from "../api/system.ts";

/** As every client sees them: `GET /api/workers`, and the channel `processes`. */
export type { Gauges, Mark, OwnAdvice, OwnMark, OwnProcess, ProcessInfo, Snapshot, Vitals };

/** worker: serves HTTP · agent: runs LLM loops · simulator: takes the place of the model. */
export type ChildKind = (typeof CHILD_KINDS)[number];

/**
 * A service's own text by name, opaque here, MAX_NOTES_CHARACTERS in all. For information that no figure can
 * express.
 */
export type Notes = Readonly<Record<string, string>>;

export const MAX_NOTES_CHARACTERS = 24 * 1024;

/** What one child noted last. */
export interface ProcessNotes {
  readonly kind: ChildKind;
  readonly id: number;
  readonly notes: Notes;
}

/** What a worker asks the primary, or all children of a kind, to do. For children name and subject are opaque here. */
export interface ServiceRequest {
  readonly to: ChildKind | "primary";
  readonly name: string;
  readonly about: string;
}

/** To the primary: how many processes of a kind there are to be. About `worker=3`. */
export const SCALE = "scale";

export type FromChild =
  | { readonly type: "ready"; readonly port?: number }
  | { readonly type: "failed"; readonly detail: string }
  | { readonly type: "heartbeat"; readonly vitals: Vitals; readonly gauges: Gauges }
  | { readonly type: "notes"; readonly notes: Notes }
  | { readonly type: "request"; readonly request: ServiceRequest };

export type ToChild =
  /** The first message. The settings are opaque here. */
  | { readonly type: "settings"; readonly settings: unknown }
  /** May come again with less time, or when other processes no longer serve what this one does. */
  | { readonly type: "drain"; readonly within_ms: number; readonly others_serve: boolean }
  /** The last five minutes, oldest first: to a worker that has just become ready. */
  | { readonly type: "history"; readonly snapshots: readonly Snapshot[] }
  | { readonly type: "snapshot"; readonly snapshot: Snapshot }
  | { readonly type: "notes"; readonly processes: readonly ProcessNotes[] }
  | { readonly type: "request"; readonly request: ServiceRequest };

export type ChildState = (typeof CHILD_STATES)[number];

export const HEARTBEAT_MS = 1_000;

/** Exit codes of children, and of the primary itself. */
export const EXIT = {
  drained: 0,
  crashed: 70,
  /** EX_TEMPFAIL: port or data folder are taken. A supervisor may try again. */
  retry: 75,
  /** EX_CONFIG: no restart can help. */
  config: 78,
  /** 128 + SIGINT: a second Ctrl-C. */
  interrupted: 130,
} as const;
