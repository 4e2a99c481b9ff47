/**
 * Decides about a request for a run: it is a repeat of an earlier one, it is refused, or it becomes a new run, which
 * may interrupt others. The drivers look up what the rules need, inside the transaction that stores the run.
 */
import { AppError, type ErrorCode } from "../../core/errors.ts";
import { jobToolOf } from "../../core/job-id.ts";
import {
  isOver,
  MAX_DELEGATED_RUNS,
  MAX_DELEGATION_DEPTH,
  type NewRun,
  type Run,
  type Superseded,
} from "../../core/run.ts";

/** The part of a stored run that decides about a repeat of its request. */
interface Fingerprinted {
  readonly fingerprint: string;
}

/**
 * The run that this request already made, if it is a repeat. Ask before everything else: after a crash an agent sends a
 * delegation again, and must get the child that exists, even if the parent has been canceled since.
 * @param byKey the run stored under its principal and Idempotency-Key. @param byId the run of its chosen id
 * @throws AppError IDEMPOTENCY_MISMATCH, RUN_ID_TAKEN
 */
export function repeatOf<T extends Fingerprinted>(
  request: NewRun,
  byKey: T | undefined,
  byId: T | undefined,
): T | undefined {
  if (byKey) return same(request, byKey, ["IDEMPOTENCY_MISMATCH", `Idempotency-Key "${request.idempotencyKey}"`]);
  if (byId && request.runIdChosen) return same(request, byId, ["RUN_ID_TAKEN", `run_id "${request.runId}"`]);
  return undefined;
}

function same<T extends Fingerprinted>({ fingerprint }: NewRun, first: T, [code, what]: [ErrorCode, string]): T {
  if (first.fingerprint === fingerprint) return first;
  throw new AppError(code, `${what} was used for a different request; send a new one, or the same body.`);
}

/** @param queued how many runs wait already. @throws AppError OVERLOADED */
export function assertAdmitted(queued: number, limit: number): void {
  if (queued < limit) return;
  throw new AppError("OVERLOADED", `${queued} runs are waiting already; try again in a few seconds.`, {
    retryAfterS: 5,
  });
}

interface UnderWay {
  readonly id: string;
  readonly n: number;
}

/**
 * The runs that a new run replaces or interrupts. Ask before anything is written: a refusal must leave everything
 * unchanged.
 * @param underWay the runs of the thread that are not over, the oldest first
 * @param superseded the first turn that the new run replaces, if any: runs from there on do not make the thread busy
 * @returns the runs to cancel, with all that they delegated. @throws AppError THREAD_BUSY
 */
export function canceledBy(
  { strategy, threadId }: Pick<NewRun, "strategy" | "threadId">,
  underWay: readonly UnderWay[],
  superseded: Pick<UnderWay, "n"> | undefined,
): readonly string[] {
  const isReplaced = ({ n }: UnderWay) => superseded !== undefined && n >= superseded.n;
  const first = underWay.find((run) => !isReplaced(run));
  if (strategy === "reject" && first) {
    throw new AppError("THREAD_BUSY", `Thread ${threadId} has run ${first.id} under way; wait for it or cancel it.`);
  }
  return underWay.filter((run) => strategy === "interrupt" || isReplaced(run)).map(({ id }) => id);
}

/** @param queued how many runs of the principal wait already. @throws AppError TOO_MANY_REQUESTS */
export function assertOwnShare({ queuedAtMost = Infinity }: Pick<NewRun, "queuedAtMost">, queued: () => number): void {
  if (queuedAtMost === Infinity) return;
  const count = queued();
  if (count < queuedAtMost) return;
  const detail = `${count} of your runs are waiting already; wait for some of them, or cancel them.`;
  throw new AppError("TOO_MANY_REQUESTS", detail, { retryAfterS: 5 });
}

/**
 * The refusal says no more than for a thread that does not exist, because clients choose thread ids, and ids may be
 * guessed.
 * @param principal the owner of the thread; undefined when the thread is new. @throws AppError THREAD_NOT_FOUND
 */
export function assertOwnThread(request: NewRun, principal: string | undefined): void {
  if (!request.onlyOwnThread || principal === undefined || principal === request.principal) return;
  const shown = JSON.stringify(request.threadId);
  throw new AppError(
    "THREAD_NOT_FOUND",
    `There is no thread ${shown} of yours; leave \`thread_id\` out to begin a new one.`,
  );
}

/**
 * An idempotency key with this prefix names a message of its thread: a later edit finds the run by the key. Such keys
 * are kept as long as the run; all others are forgotten after RETAIN_KEYS.
 */
export const LASTING_KEY = "ai-sdk:";

/** SQL, the same in both drivers and in the index that serves it. */
export const IS_PASSING_KEY = `idempotency_key IS NOT NULL AND substr(idempotency_key, 1, ${LASTING_KEY.length}) <> '${LASTING_KEY}'`;

interface Placed {
  readonly thread_id: string;
}

/**
 * The first turn that a new run replaces.
 * @param found the run with that id or key, and the newest run of the thread that is not superseded
 * @throws AppError RUN_NOT_FOUND, with the same words for a run of another thread as for none
 */
export function firstSuperseded<T extends Placed>(
  supersedes: Superseded,
  threadId: string,
  found: { readonly named: T | undefined; readonly newest: () => T | undefined },
): T | undefined {
  const named = found.named?.thread_id === threadId ? found.named : undefined;
  if (named) return named;
  if (supersedes.orNewest !== undefined) return supersedes.orNewest ? found.newest() : undefined;
  const shown = JSON.stringify(supersedes.runId);
  throw new AppError("RUN_NOT_FOUND", `There is no run ${shown} in thread ${threadId} that could be superseded.`);
}

/** Whether lists show the run's thread. Threads of delegated runs, ephemeral runs and jobs are hidden. */
export function isListed(run: Pick<NewRun, "parentRunId" | "agentId" | "ephemeral">): boolean {
  return run.parentRunId === null && !run.ephemeral && jobToolOf(run.agentId) === undefined;
}

/** The place that a delegated run would have. */
export interface Place {
  /** Levels below the run that a client asked for: its own children have depth 1. */
  readonly depth: number;
  /** How many runs the topmost run would have with this one. */
  readonly runs: number;
}

/**
 * A delegated run is never refused because the queue is full: its parent was admitted already, and waits for it.
 * @throws AppError RUN_NOT_FOUND, INVALID_REQUEST
 */
export function assertMayDelegate(
  parentId: string,
  parent: Pick<Run, "status" | "cancel_requested"> | undefined,
  place: () => Place,
): void {
  if (!parent) {
    throw new AppError("RUN_NOT_FOUND", `There is no run ${parentId} that could delegate: its thread was deleted.`);
  }
  // No run would wait for the child, and the cancel that has walked this family already would miss it.
  if (isOver(parent.status) || parent.cancel_requested) {
    const state = isOver(parent.status) ? parent.status : "being canceled";
    throw new AppError("INVALID_REQUEST", `Run ${parentId} is ${state}; it can delegate nothing more.`);
  }
  const { depth, runs } = place();
  const refuse = (limit: string) =>
    new AppError("INVALID_REQUEST", `${limit}; run ${parentId} has to do the work itself.`);
  if (depth > MAX_DELEGATION_DEPTH) throw refuse(`Runs may be delegated ${MAX_DELEGATION_DEPTH} deep`);
  if (runs > MAX_DELEGATED_RUNS) throw refuse(`One run may lead to ${MAX_DELEGATED_RUNS} delegated ones`);
}
