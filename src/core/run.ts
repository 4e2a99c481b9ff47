/** What a run is: its states, what a client asks for, and how it ends. Pure types, shared by every process. */
import type { StoredRun, Usage } from "../api/runs.ts";
import type { Asked } from "./asked.ts";
import type { ErrorCode, ErrorInfo } from "./errors.ts";
import { TITLE_CHARACTERS } from "./limits.ts";
import type { Message } from "./message.ts";

export const RUN_STATUSES = ["queued", "running", "completed", "failed", "canceled"] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

/** The status for people. A parked run is stored as running, with what it waits for. */
export const SHOWN_STATUSES = ["queued", "running", "parked", "completed", "failed", "canceled"] as const;
export type ShownStatus = (typeof SHOWN_STATUSES)[number];

/** The word for people, on every page and in the command line. */
export function shownStatus({ status, waiting }: Pick<Run, "status" | "waiting">): ShownStatus {
  return status === "running" && waiting ? "parked" : status;
}

/** The query of `GET /api/runs` that finds the runs with this word: there, parked runs are some of the running ones. */
export function whichRuns(shown: ShownStatus): { readonly status: RunStatus; readonly parked?: boolean } {
  if (shown === "parked") return { status: "running", parked: true };
  return shown === "running" ? { status: shown, parked: false } : { status: shown };
}

export function isOver(status: ShownStatus): boolean {
  return status === "completed" || status === "failed" || status === "canceled";
}

/**
 * Why a run ended: the model had said everything, the model's answer was cut at its token limit, the model refused, the
 * run met its step limit, its time limit or its budget, somebody canceled the run, or the run failed.
 */
export const FINISH_REASONS = [
  "stop",
  "max_tokens",
  "refusal",
  "step_limit",
  "time_limit",
  "budget",
  "canceled",
  "error",
] as const;
export type FinishReason = (typeof FINISH_REASONS)[number];

/** What to do when a thread already has a run under way: wait behind it, refuse, or cancel it first. */
export const MULTITASK_STRATEGIES = ["enqueue", "reject", "interrupt"] as const;
export type MultitaskStrategy = (typeof MULTITASK_STRATEGIES)[number];

/** Token counts of a run, summed over its model calls. */
export type { Usage };

export const NO_USAGE: Usage = {
  input_tokens: 0,
  output_tokens: 0,
  cache_read_input_tokens: 0,
  cache_creation_input_tokens: 0,
};

export function addUsage(a: Usage, b: Usage): Usage {
  return {
    input_tokens: a.input_tokens + b.input_tokens,
    output_tokens: a.output_tokens + b.output_tokens,
    cache_read_input_tokens: a.cache_read_input_tokens + b.cache_read_input_tokens,
    cache_creation_input_tokens: a.cache_creation_input_tokens + b.cache_creation_input_tokens,
  };
}

/** A run as it is stored. */
export type Run = StoredRun;

/** One line of a message, for lists. */
export function titleOf(message: string): string {
  // Cut first: a message may be a megabyte of blanks.
  const line = message
    .slice(0, 10 * TITLE_CHARACTERS)
    .replaceAll(/\s+/g, " ")
    .trim();
  return line.length <= TITLE_CHARACTERS
    ? line.toWellFormed()
    : `${line.slice(0, TITLE_CHARACTERS - 1).toWellFormed()}…`;
}

/** A run that a client asked for has depth 0; a run that it delegates has depth 1. */
export const MAX_DELEGATION_DEPTH = 4;

/** How many runs may be below one run that a client asked for, at all depths together. */
export const MAX_DELEGATED_RUNS = 200;

/** The run that a client, or the agent of another run, asks for. */
export interface NewRun {
  readonly runId: string;
  readonly threadId: string;
  readonly agentId: string;
  /** The run that delegates this one. The new run belongs to its parent's principal, whatever `principal` says. */
  readonly parentRunId: string | null;
  /** The message in words: lists show it, and it is stored unless `content` says more. */
  readonly message: string;
  /** The message in parts, when it has pictures or documents. */
  readonly content?: Message["content"];
  /**
   * The conversation before `message`, for a client that keeps it itself. Left out when the thread has a turn that is
   * sent to the model. When the thread has only turns that are not sent, and not superseded, what the first of them
   * brought counts in place of this. Default: nothing.
   */
  readonly before?: readonly Message[];
  /** No list shows the thread, and it is removed a minute after the run's end. Default: false. */
  readonly ephemeral?: boolean;
  readonly strategy: MultitaskStrategy;
  readonly timeoutMs: number | null;
  /** How long the run may wait for its first process before it fails with QUEUE_TIMEOUT. Default: for ever. */
  readonly queueTimeoutMs?: number | null;
  readonly metadata: Record<string, unknown>;
  /** The turn of the thread that the new run replaces, with all later turns. Default: none. */
  readonly supersedes?: Superseded;
  /** What the run is asked beyond its message. Default: nothing. */
  readonly asked?: Asked;
  /** Refuse a thread that belongs to another principal, with THREAD_NOT_FOUND. */
  readonly onlyOwnThread?: boolean;
  /** Refuse with TOO_MANY_REQUESTS when this many runs of the principal wait already. */
  readonly queuedAtMost?: number;
  /**
   * The principal that asks. The run and a new thread belong to it; an Idempotency-Key is unique within one principal.
   */
  readonly principal: string;
  readonly idempotencyKey: string | null;
  /** True when the client chose `runId`: then a repeated POST with this id also returns the first run. */
  readonly runIdChosen: boolean;
  /** Digest of the request body: tells a repeat from a different request under the same key. */
  readonly fingerprint: string;
}

/** A new run `runId` that goes on from where run `of` ended. */
export interface RetryRequest extends Pick<NewRun, "runId" | "queuedAtMost"> {
  readonly of: string;
}

/** A turn, named by its run, or by the Idempotency-Key of its run, for clients that know only their own ids. */
export type Superseded =
  /** If the thread has no such run, the request is refused. */
  | { readonly runId: string; readonly orNewest?: never }
  /** If the thread has no such run: its newest turn with `orNewest`, otherwise none. */
  | { readonly runId: string; readonly orNewest: boolean }
  | { readonly key: string; readonly orNewest: boolean };

/** The process that holds the lease of a run. */
export interface Owner {
  /**
   * One server: a primary and its children. On SQLite the name stays the same after a restart; with DATABASE_URL each
   * start has a new name, and a killed server's runs are handed back once its old name was silent for
   * MACHINE_SILENT_MS.
   */
  readonly machine: string;
  /** One start of that server: each start has a new id. */
  readonly boot: string;
  /** See `agentName`. */
  readonly process: string;
}

/**
 * The name of an agent process within its server. It contains the pid, so the primary can make it from the pid of a
 * dead child.
 */
export function agentName(agent: number, pid: number): string {
  return `agent-${agent}-${pid}`;
}

/** How a run ends. */
export type Outcome =
  /** A missing reason means "stop": the model had said everything. */
  | {
      readonly status: "completed";
      readonly reply: string;
      readonly finishReason?: FinishReason;
      readonly output?: unknown;
    }
  | { readonly status: "failed"; readonly error: ErrorInfo }
  | { readonly status: "canceled" };

/** Limits that make a run fail, instead of ending it with a last word of the model. */
const REASON_OF_ERROR: Readonly<Partial<Record<ErrorCode, FinishReason>>> = {
  STEP_LIMIT: "step_limit",
  RUN_TIMEOUT: "time_limit",
  BUDGET_EXCEEDED: "budget",
  MODEL_REFUSED: "refusal",
};

export function finishReasonOf(outcome: Outcome): FinishReason {
  if (outcome.status === "completed") return outcome.finishReason ?? "stop";
  return outcome.status === "canceled" ? "canceled" : (REASON_OF_ERROR[outcome.error.code] ?? "error");
}
