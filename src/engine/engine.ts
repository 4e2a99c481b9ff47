/**
 * The engine: run queue, journal and threads behind one interface. Workers enqueue, cancel, read and
 * follow; agents claim, append and settle; the primary releases and maintains. A driver lives in a
 * folder beside this file, `open.ts` chooses it, and `engine.contract.ts` says what each must do.
 *
 * Every method but the followers is async. Storage failures reject with (followers throw) STORAGE_UNAVAILABLE or
 * STORAGE_FULL.
 */
import type { Thread, ThreadSummary } from "../api/threads.ts";
import type { Activity, ActivityType, NewActivity } from "../core/activity.ts";
import type { ErrorCode } from "../core/errors.ts";
import type { JournalEvent, RunEvent } from "../core/event.ts";
import type { Message } from "../core/message.ts";
import type { FinishReason, NewRun, Outcome, Run, RunStatus, Usage } from "../core/run.ts";
import type { OwnerEnd } from "./rules/blame.ts";

export interface Engine {
  // ── Producers ────────────────────────────────────────────────────────────────────────────────

  /**
   * Stores the run, its user message and its first events in one transaction; durable on return.
   * Idempotent on a chosen run id and on (principal, Idempotency-Key): a repeat returns the first run,
   * a different request under the same name rejects with RUN_ID_TAKEN or IDEMPOTENCY_MISMATCH.
   * Rejects with OVERLOADED when `limits.queued` runs wait, THREAD_BUSY under strategy "reject"; a delegated run
   * never with OVERLOADED, but with RUN_NOT_FOUND when its parent is not there, and INVALID_REQUEST when its parent
   * is over or to be canceled, or when it is too deep (MAX_DELEGATION_DEPTH) or one too many (MAX_DELEGATED_RUNS).
   * A repeat is answered before all that.
   */
  enqueue(run: NewRun): Promise<{ readonly run: Run; readonly created: boolean }>;

  /**
   * Asks for the end of the run and of all that it delegated, and they in turn. A queued run is canceled on return;
   * of a running one the owner is told and settles it. Idempotent; a run that is over is returned as it is.
   * Undefined when there is no such run.
   */
  cancel(runId: string): Promise<Run | undefined>;

  /** Appends a notice to the activity feed. */
  post(activity: NewActivity): Promise<Activity>;

  /** Removes a thread with all its runs, events and activities. Rejects with THREAD_BUSY while a run is under way. */
  deleteThread(threadId: string): Promise<boolean>;

  // ── Owners ───────────────────────────────────────────────────────────────────────────────────

  /**
   * Takes up to `limit` runs: the oldest queued ones whose thread has none under way, and those whose
   * lease ran out. Delegated ones come first, as somebody who has begun waits for them. Atomic: no run is ever
   * claimed twice under one fence. Empty when there is nothing.
   */
  claim(request: { readonly owner: string; readonly limit: number; readonly leaseMs: number }): Promise<Claim[]>;

  /** Renews the leases of these runs. Returns the ids of those that `owner` still owns. */
  extend(request: {
    readonly owner: string;
    readonly runIds: readonly string[];
    readonly leaseMs: number;
  }): Promise<ReadonlySet<string>>;

  /** Which runs of `owner` somebody asked to cancel. */
  cancelRequests(owner: string): Promise<string[]>;

  /**
   * Commits one step: events, thread messages, tool ledger and progress, all or nothing.
   * Rejects with LEASE_LOST when the run has passed on (or is over): the caller must stop working on it.
   */
  append(step: Step): Promise<void>;

  /**
   * `append`, and the run's end in the same transaction. The driver adds the terminal event. What is under way of
   * all that the run delegated is canceled with it, as with every other end: nobody waits for it any more.
   */
  settle(step: Step, outcome: Outcome): Promise<void>;

  /**
   * Puts runs back into the queue, to go on from their last checkpoint: those of `owner`, or without
   * one all that are running. `end` says what became of their owners. A run that may have caused the end too often is
   * failed as POISONED instead: `rules/blame.ts`. Returns how many runs it touched.
   */
  release(request: { readonly owner?: string; readonly end: OwnerEnd }): Promise<number>;

  /**
   * What the run's next model call starts from: its thread up to and with this run, oldest first, as it is stored.
   * What of it goes to the model is decided by `agent/history/`. Empty when there is no such run.
   */
  history(runId: string): Promise<Turn[]>;

  /** The tool ledger of the run. */
  toolCalls(runId: string): Promise<ToolCall[]>;

  // ── Readers ──────────────────────────────────────────────────────────────────────────────────

  run(runId: string): Promise<Run | undefined>;

  /** Newest first. `next` is the `before` of the following page, null at the end. */
  runs(filter: RunFilter): Promise<Page<Run>>;

  /** Journal rows with seq above `after`, in order: at least one, if there is one, and no more than `page` allows. */
  events(runId: string, after: number, page: EventPage): Promise<JournalEvent[]>;

  /** The seq of the run's newest event; 0 when there is none. */
  lastEvent(runId: string): Promise<number>;

  /**
   * Calls `onEvents` with rows appended from about now on, in order, until stopped. It may begin a few
   * rows before or after the call: callers close the gap with `events()` and drop what they know.
   */
  follow(runId: string, onEvents: (events: readonly JournalEvent[]) => void): Follower;

  /** Newest first. */
  activities(filter: ActivityFilter): Promise<Page<Activity>>;
  /** Up to `limit` activities with seq above `after`, oldest first: what a cursor reads. */
  activitiesAfter(after: number, limit: number): Promise<Activity[]>;
  followActivities(onActivities: (activities: readonly Activity[]) => void): Follower;
  /** Position of the newest activity: cheap enough to ask on every request. */
  lastActivity(): Promise<number>;
  /** How many of each type there are with seq above `after`, and the seq of the newest. */
  countActivities(after: number): Promise<ActivityCounts>;

  /** Those with the newest runs first, without those of delegated runs, which are found through their parent. */
  threads(filter: { readonly limit: number; readonly before?: number }): Promise<Page<ThreadSummary>>;
  thread(threadId: string): Promise<Thread | undefined>;

  // ── Owners' wake-up and upkeep ───────────────────────────────────────────────────────────────

  /**
   * Calls `onChange` soon after anybody committed anything: look for work, or for cancel requests. Sooner while
   * `isEager` says so, which costs CPU: for one that has nothing else to do.
   */
  onChange(onChange: () => void, isEager?: () => boolean): Follower;

  counts(): Promise<Record<"queued" | "running" | "waiting", number>>;

  /**
   * Upkeep of the storage, the removal of ephemeral threads among it. Called every second by the upkeep thread, and by
   * nobody else.
   */
  maintain(): Promise<void>;

  close(): Promise<void>;
}

export interface ActivityCounts {
  /** `after` when there are none. */
  readonly last: number;
  readonly byType: Readonly<Partial<Record<ActivityType, number>>>;
}

export interface Claim {
  readonly run: Run;
  /** Grows with every claim of the run; a write under an older one fails with LEASE_LOST. */
  readonly fence: number;
  /** For how long its tools have to run without those of others in the same process; 0: they need not. */
  readonly trialMs: number;
}

export interface Step {
  readonly runId: string;
  readonly fence: number;
  readonly events: readonly RunEvent[];
  readonly messages?: readonly Message[];
  readonly toolCalls?: readonly ToolCall[];
  readonly usage?: Usage;
  readonly steps?: number;
}

/** May a tool call be repeated when its process died in the middle of it? */
export const EFFECTS = ["pure", "idempotent", "unsafe"] as const;
export type Effects = (typeof EFFECTS)[number];

/** A run's calls are told apart by `stepsBefore` and `toolCallId`: some endpoints give calls of two answers the same id. */
export interface ToolCall {
  /** How many steps the run had made before. */
  readonly stepsBefore: number;
  readonly toolCallId: string;
  readonly name: string;
  readonly effects: Effects;
  /** True when the call cannot end its agent process: what it does happens elsewhere. Written, and not read back. */
  readonly contained?: boolean;
  /** Null from its start until it finished. */
  readonly result: { readonly content: string; readonly isError: boolean } | null;
}

/** One run of a thread with its messages, and what decides how they go to the model. */
export interface Turn {
  readonly runId: string;
  readonly agentId: string;
  readonly status: RunStatus;
  readonly finishReason: FinishReason | null;
  readonly errorCode: ErrorCode | null;
  /** How many processes have owned it. */
  readonly attempts: number;
  readonly steps: number;
  readonly messages: readonly Message[];
  /** Its ledger, when it failed or was canceled: calls whose result is in no message. */
  readonly toolCalls: readonly ToolCall[];
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly next: number | null;
}

export interface EventPage {
  readonly limit: number;
  /** The page ends with the row that reaches this many characters of JSON. */
  readonly characters?: number;
}

export interface RunFilter {
  readonly limit: number;
  readonly before?: number;
  readonly status?: RunStatus;
  readonly agentId?: string;
  readonly threadId?: string;
  readonly parentRunId?: string;
  /** True: only runs that a client asked for; false: only delegated ones. */
  readonly topLevel?: boolean;
}

export interface ActivityFilter {
  readonly limit: number;
  /** Only seq below this. */
  readonly before?: number;
  /** Only seq above this. */
  readonly after?: number;
  readonly agentId?: string;
  readonly threadId?: string;
  readonly runId?: string;
  readonly type?: ActivityType;
}

export interface Follower {
  /** No call after this. Idempotent. */
  stop(): void;
}

export interface EngineLimits {
  /**
   * Runs that may wait at once, over all clients. Delegated ones count, and come in beyond it: what bounds them is
   * the step limit of their parents.
   */
  readonly queued: number;
}
