/**
 * The engine: run queue, journal and threads behind one interface. Workers enqueue, cancel, read and follow; agents
 * claim, append and settle; the primary releases what dead owners held; the upkeep thread maintains. A driver lives in
 * a folder beside this file, `open.ts` chooses it, and `engine.contract.ts` says what each must do. Decisions that are
 * the same in all drivers are pure code in `rules/`; a driver only stores, claims and follows.
 *
 * Every method is async and may be slow. Storage failures reject with STORAGE_UNAVAILABLE or STORAGE_FULL. A driver
 * gathers the writes that a process makes at the same time, whatever runs they belong to, into one commit and one round
 * trip. When one of these writes is refused, the others are still committed.
 *
 * This file is long on purpose: the author of a driver has to read each method beside the types that it takes and
 * returns.
 */
import type { ThreadSummary } from "../api/threads.ts";
import type { SPENDING_KEYS } from "../api/usage.ts";
import type { Activity, ActivityType, NewActivity } from "../core/activity.ts";
import type { Asked } from "../core/asked.ts";
import type { ErrorCode } from "../core/errors.ts";
import type { JournalEvent, RunEvent } from "../core/event.ts";
import type { BusState } from "../core/gauges.ts";
import type { Message, ToolResultContent } from "../core/message.ts";
import type { FinishReason, NewRun, Outcome, Owner, RetryRequest, Run, RunStatus, Usage } from "../core/run.ts";
import type { Files } from "./files.ts";
import type { Price } from "../core/agent.ts";
import type { Wait } from "../core/run-waits.ts";
import type { Budget, Spent, Verdict } from "../core/spending.ts";
import type { Retention } from "../core/retention.ts";
import type { OwnerEnd } from "./rules/blame.ts";
import type { DumpPosition, ThreadDump } from "./rules/dump.ts";

export interface Engine {
  /** The driver's name, for `/info`. */
  readonly driver: string;

  /** Names the storage that was opened: see `OpenOptions.identity`. */
  readonly identity: string;

  /** Pictures and documents of users. */
  readonly files: Files;

  // ── Producers ────────────────────────────────────────────────────────────────────────────────

  /**
   * Stores the run, its user message and its first events in one transaction; durable on return. Idempotent on a chosen
   * run id and on (principal, Idempotency-Key): a repeat returns the first run, and a different request under the same
   * id or key rejects with RUN_ID_TAKEN or IDEMPOTENCY_MISMATCH. A repeat is answered before any of the following
   * refusals (`rules/enqueue.ts`):
   * - OVERLOADED when `limits.queued` runs wait already; never for a delegated run.
   * - THREAD_BUSY under strategy "reject", when a run of the thread is under way.
   * - RUN_NOT_FOUND when the parent of a delegated run does not exist, or when the run to supersede is not in the
   *   thread.
   * - INVALID_REQUEST when the parent is over or is to be canceled, when the delegated run would be too deep
   *   (MAX_DELEGATION_DEPTH), or one too many (MAX_DELEGATED_RUNS).
   * - THREAD_NOT_FOUND with `onlyOwnThread`, when the thread belongs to another principal.
   * - FILE_NOT_FOUND when its messages name a file that is gone. From then on the file is in use, and `retain` keeps it.
   * - TOO_MANY_REQUESTS when `queuedAtMost` runs of the principal wait already.
   * A superseded run is canceled if it is under way. It can still be read, but its messages are not sent to the model
   * any more.
   */
  enqueue(run: NewRun): Promise<{ readonly run: Run; readonly created: boolean }>;

  /**
   * Asks for the end of the run and of all runs below it (those it delegated, and those they delegated). A queued run
   * is canceled on return. The owner of a running run is told, and settles it. Idempotent; a run that is over is
   * returned unchanged. Undefined when there is no such run.
   */
  cancel(runId: string): Promise<Run | undefined>;

  /**
   * Stores a new run `runId` that goes on from the last checkpoint of run `of`, which failed or was canceled, without a
   * new message: same thread, agent, time limit and principal, with the messages and the tool ledger that it left. From
   * then on the model sees these messages only as part of the retry. Idempotent: a run is retried once, and a repeat
   * returns that retry. Undefined when there is no such run. Rejects with NOT_RETRYABLE (`rules/retry.ts`), and with
   * OVERLOADED and TOO_MANY_REQUESTS as `enqueue` does.
   */
  retry(request: RetryRequest): Promise<{ readonly run: Run; readonly created: boolean } | undefined>;

  /** Appends a notice to the activity feed. */
  post(activity: NewActivity): Promise<Activity>;

  /**
   * Removes a thread with its runs, the runs they delegated, and all their events and activities. The removal is
   * decided in one transaction and holds even if the process dies afterwards: on return nobody finds them any more, and
   * `maintain` deletes their rows in batches. Rejects with THREAD_BUSY while one of the runs is under way.
   */
  deleteThread(threadId: string): Promise<boolean>;

  // ── Owners ───────────────────────────────────────────────────────────────────────────────────

  /**
   * Takes up to `limit` runs: the oldest queued ones whose thread has none under way, and those whose lease ran out.
   * Delegated runs come first, because a run that has begun waits for them. A run that was never begun, and has waited
   * for longer than its `queueTimeoutMs`, is left to `maintain`. Atomic: no run is ever claimed twice under one fence.
   * Empty when no run can be claimed.
   */
  claim(request: { readonly owner: Owner; readonly limit: number; readonly leaseMs: number }): Promise<Claim[]>;

  /**
   * Renews the leases of these runs. Returns the runs that `owner` still owns; an agent stops working on the others. A
   * lease runs out by the storage's own clock, which goes on only while the storage can be written (see `maintain`):
   * neither a clock that is set, nor a machine that slept, nor a disk that was full makes an owner lose a run.
   */
  extend(request: {
    readonly owner: Owner;
    readonly runIds: readonly string[];
    readonly leaseMs: number;
  }): Promise<ReadonlyMap<string, OwnedRun>>;

  /**
   * Commits one step: events, thread messages, tool ledger and progress, all or nothing. Rejects with LEASE_LOST when
   * the run has another owner or is over: the caller must stop working on it.
   */
  append(step: Step): Promise<OwnedRun>;

  /**
   * `append`, and the run's end in the same transaction. The driver adds the terminal event. The delegated runs that
   * are still under way are canceled with it, as at every other end of a run: nobody waits for them any more.
   */
  settle(step: Step, outcome: Outcome): Promise<void>;

  /**
   * Puts runs whose owner has ended back into the queue, to go on from their last checkpoint. `end` says how it ended.
   * A run that may have caused such an end too often is failed as POISONED instead: `rules/blame.ts`. Returns how many
   * it touched.
   */
  release(left: Left, end: OwnerEnd): Promise<number>;

  /**
   * Tells an owner about runs to claim and runs to cancel. Resolves once nothing that is committed later can be missed.
   * Both signals are given first for what is there already. They may be repeated, and come within milliseconds while
   * the owner listens.
   */
  watch(owner: Owner, signals: OwnerSignals): Promise<Follower>;

  /**
   * What the run's next model call starts from: its thread up to and including this run, oldest first, as it is stored.
   * `agent/history/` decides which part of it goes to the model. Empty when there is no such run.
   */
  history(runId: string): Promise<Turn[]>;

  /** The tool ledger of the run. */
  toolCalls(runId: string): Promise<ToolCall[]>;

  // ── Readers ──────────────────────────────────────────────────────────────────────────────────

  run(runId: string): Promise<Run | undefined>;

  /**
   * Runs, newest first, each with at most LISTED_REPLY_CHARACTERS of its reply. `next` is the `before` of the following
   * page, null at the end. A page may be short or even empty and still have a next page: one call looks at no more than
   * some thousand rows that the filter leaves out, and a page ends with the row that reaches PAGE_CHARACTERS.
   */
  runs(filter: RunFilter): Promise<ListPage<Run>>;

  /** Journal rows with seq above `after`, in order: at least one, if there is one, and no more than `page` allows. */
  events(runId: string, after: number, page: EventPage): Promise<JournalEvent[]>;

  /** The seq of the run's newest event; 0 when there is none. */
  lastEvent(runId: string): Promise<number>;

  /**
   * Calls `onEvents` with the rows of the run's journal, in order, until stopped. Resolves once no event that is
   * committed later can be missed. The caller then reads `events()` and drops the rows that it has twice, because
   * `onEvents` may begin a few rows earlier. `onEvents` may be called before this resolves.
   */
  follow(runId: string, listener: RunListener): Promise<Follower>;

  /** Newest first. Pages like those of `runs`. */
  activities(filter: ActivityFilter): Promise<ListPage<Activity>>;
  /** Up to `limit` activities with seq above `after`, oldest first: what a cursor reads. */
  activitiesAfter(after: number, limit: number, principal?: string): Promise<AttributedActivity[]>;
  /** Like `follow`, for the feed of all activities. */
  followActivities(onActivities: (activities: readonly AttributedActivity[]) => void): Promise<Follower>;
  /** Position of the newest activity. Cheap enough to ask on every request. */
  lastActivity(): Promise<number>;
  /** How many of each type there are with seq above `after`, and the seq of the newest. */
  countActivities(after: number): Promise<ActivityCounts>;

  /** Threads with the newest runs come first. Threads of delegated runs are found through the parent run. */
  threads(filter: ThreadFilter): Promise<ListPage<ThreadSummary>>;
  thread(threadId: string): Promise<ThreadSummary | undefined>;
  /**
   * The thread's newest messages, or those before a position, oldest first: at least one, if there is one, and no more
   * than `page` allows. Each is a `StoredMessage` as JSON. Empty when there is no such thread.
   */
  messages(threadId: string, page: MessagePage): Promise<ListPage<string>>;

  /** The principal that owns the run or thread; undefined when there is no such run or thread. */
  principalOf(of: RunOrThread): Promise<string | undefined>;
  // ── Spending ─────────────────────────────────────────────────────────────────────────────────

  /**
   * Decides before a model call whether the run may spend more. If so, reserves `estimate`, atomically over all
   * processes, until the step that bills the call or the run's next reservation. Rejects with LEASE_LOST.
   */
  reserve(reservation: Reservation): Promise<Verdict>;

  /** Spending since a day, summed by group. The number of rows is bounded. */
  spending(filter: SpendingFilter): Promise<Spending[]>;

  // ── Between processes ────────────────────────────────────────────────────────────────────────

  /** A small text that all processes share under a name: something that they have to agree on, never data of a run. */
  shared(name: string): Promise<SharedText>;

  /** Writes the text, unless somebody has written it since `version`. Atomic. Resolves with whether it was written. */
  share(name: string, text: string, version: number): Promise<boolean>;

  /**
   * Stores what this machine reports of itself in place of its last report; null takes that back, because the machine
   * ends. Returns the last reports of the other machines by name, of at most MAX_REPORTING_MACHINES. A report is
   * forgotten REPORT_KEPT_MS after it was stored. Where one machine has the storage alone, nothing is stored and no
   * report is returned.
   */
  exchangeReports(report: string | null): Promise<StoredReport[]>;

  // ── Upkeep ───────────────────────────────────────────────────────────────────────────────────

  counts(): Promise<Record<"queued" | "running", number>>;

  /** Resolves when the storage can be read and written, and takes new runs. Rejects with what is wrong, in words for operators. */
  check(): Promise<void>;

  /** How this process hears of the commits of others; null where the storage's own file tells it. Never rejects, asks nobody. */
  bus(): BusState | null;

  /**
   * Upkeep of the storage: it removes ephemeral threads, and lets leases run out. Called every second by the upkeep
   * thread, and by nobody else. Resolves with messages for an operator.
   */
  maintain(): Promise<readonly string[]>;

  /**
   * Does a second's worth of what `retention` asks for, in short transactions; a thread with a run under way stays, and so does a
   * file that a stored run uses (`rules/file-uses.ts`).
   * Called by the upkeep thread, and over and over by `evenkeel prune`. Resolves with whether more work is left that
   * could be done at once.
   */
  retain(retention: Retention): Promise<boolean>;

  /**
   * The first thread behind this position, in the order of last changes, to be stored elsewhere. Undefined when there
   * is none.
   */
  exportThread(after: DumpPosition): Promise<ThreadDump | undefined>;

  /**
   * Stores a thread of another storage, all or nothing. False when the thread, or one of its runs, is stored here
   * already.
   */
  importThread(dump: ThreadDump): Promise<boolean>;

  /** Commits the writes that wait. No follower is called afterwards. */
  close(): Promise<void>;
}

/**
 * Which runs `release` puts back: all runs of one owner, only those of `runIds`, or the runs of all earlier starts of
 * a server.
 */
export type Left =
  | { readonly owner: Owner; readonly runIds?: readonly string[] }
  | { readonly machine: string; readonly exceptBoot: string };

/** The answer to a write under a claim: from it an agent learns of a cancel without asking. */
export interface OwnedRun {
  readonly cancelRequested: boolean;
}

export interface OwnerSignals {
  /** There are runs to claim. */
  readonly onWork: () => void;
  /** These runs of the owner are to be canceled. */
  readonly onCancel: (runIds: readonly string[]) => void;
  /** True while the owner has nothing else to do: then it hears of work sooner, which costs CPU. */
  readonly isEager?: () => boolean;
}

export interface RunListener {
  readonly onEvents: (events: readonly JournalEvent[]) => void;
  /** The run was deleted or never existed: no event will come. Called at most once. */
  readonly onDeleted?: () => void;
}

export interface SharedText {
  /** Null when nobody wrote it yet. */
  readonly text: string | null;
  /** 0 when nobody wrote it yet; each write raises it by 1. */
  readonly version: number;
}

export interface StoredReport {
  readonly machine: string;
  readonly report: string;
  /** How long ago it was stored, by the storage's clock. */
  readonly ageMs: number;
}

export interface ActivityCounts {
  /** The seq of the newest activity; `after` when there is none. */
  readonly last: number;
  readonly byType: Readonly<Partial<Record<ActivityType, number>>>;
}

export interface Claim {
  readonly run: Run;
  /** Grows with every claim of the run; a write under an older fence fails with LEASE_LOST. */
  readonly fence: number;
  /** What the request asked beyond its message. */
  readonly asked: Asked;
  /** How long earlier owners have worked on it: time that has passed, not times of day. */
  readonly spentMs: number;
  /** For this long its tools must not run beside tools of other runs in the same process. 0: they may. */
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
  /** What the run waits for from now on; null: it goes on. Left out where that stays as it is. */
  readonly waiting?: Wait | null;
  /** Comes with `usage`: the model and price to which the growth of the usage is booked. */
  readonly bill?: Bill;
}

export interface Bill {
  readonly model: string;
  /** Without a price, only tokens are booked. */
  readonly price: Price | undefined;
}

export interface Reservation {
  readonly runId: string;
  readonly fence: number;
  readonly budget: Budget;
  readonly estimate: Spent;
}

export interface SpendingFilter {
  readonly by: (typeof SPENDING_KEYS)[number];
  /** A UTC day such as `2026-11-28`: that day and all later days. */
  readonly since: string;
  readonly principal?: string;
}

export interface Spending {
  /** An agent, a principal, a model or a day. */
  readonly key: string;
  readonly calls: number;
  readonly usage: Usage;
  readonly dollars: number;
}

/** Says whether a tool call may be repeated after its process died in the middle of it. */
export const EFFECTS = ["pure", "idempotent", "unsafe"] as const;
export type Effects = (typeof EFFECTS)[number];

/** A run's calls are told apart by `stepsBefore` and `toolCallId`: some endpoints give calls of two answers the same id. */
export interface ToolCall {
  /** How many steps the run had made before. */
  readonly stepsBefore: number;
  readonly toolCallId: string;
  readonly name: string;
  readonly effects: Effects;
  /** True when the call cannot end its agent process, because it runs elsewhere. Write-only: reads leave it out. */
  readonly contained?: boolean;
  /** Null from its start until it finished. */
  readonly result: { readonly content: ToolResultContent; readonly isError: boolean } | null;
}

/** One run of a thread with its messages, and what decides how they go to the model. */
export interface Turn {
  readonly runId: string;
  readonly agentId: string;
  readonly status: RunStatus;
  readonly finishReason: FinishReason | null;
  readonly errorCode: ErrorCode | null;
  /** How many processes have owned the run. */
  readonly attempts: number;
  readonly steps: number;
  /** Another run continues from where this run ended, with the same messages. */
  readonly retried?: boolean;
  /** Another run answers in place of this run. */
  readonly superseded?: boolean;
  readonly messages: readonly Message[];
  /** The run's ledger, if it failed or was canceled: the calls whose result is in no message. */
  readonly toolCalls: readonly ToolCall[];
}

export interface ListPage<T> {
  readonly items: readonly T[];
  readonly next: number | null;
}

export interface EventPage {
  readonly limit: number;
  /** The page ends with the row that reaches this many characters of JSON. */
  readonly characters?: number;
}

export interface MessagePage extends EventPage {
  /** `next` of the page that follows. */
  readonly before?: number;
}

export type RunOrThread =
  | { readonly runId: string; readonly threadId?: never }
  | { readonly threadId: string; readonly runId?: never };

/** An activity, and the principal of its run or thread; a notice belongs to nobody. */
export interface AttributedActivity {
  readonly principal: string | null;
  readonly activity: Activity;
}

export interface ThreadFilter {
  readonly limit: number;
  readonly before?: number;
  readonly principal?: string;
}

export interface RunFilter {
  readonly limit: number;
  readonly before?: number;
  readonly principal?: string;
  readonly status?: RunStatus;
  /** True: only runs that are parked; false: only the others. */
  readonly parked?: boolean;
  readonly agentId?: string;
  readonly threadId?: string;
  readonly parentRunId?: string;
  /** True: only runs that a client asked for; false: only delegated ones. */
  readonly topLevel?: boolean;
}

export interface ActivityFilter {
  readonly limit: number;
  readonly principal?: string;
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
  /** Nothing is called after this. Idempotent. */
  stop(): void;
}

export interface EngineLimits {
  /**
   * How many runs may wait at once, over all clients. Delegated runs count, but are accepted beyond this limit: the
   * step limit of their parents bounds them.
   */
  readonly queued: number;
}
