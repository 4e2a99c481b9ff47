/**
 * The run queue, inside a transaction that the caller has begun: enqueue, supersede, cancel, retry, claim, extend and
 * release. Called by `engine.ts`; never begins or commits a transaction.
 */
import type { DatabaseSync } from "node:sqlite";
import { AppError } from "../../core/errors.ts";
import { fileNotFound } from "../../core/file.ts";
import type { Message } from "../../core/message.ts";
import {
  isOver,
  titleOf,
  type NewRun,
  type Outcome,
  type Owner,
  type RetryRequest,
  type Run,
  type Superseded,
} from "../../core/run.ts";
import type { Claim, EngineLimits, Left } from "../engine.ts";
import {
  assertAdmitted,
  assertMayDelegate,
  assertOwnShare,
  assertOwnThread,
  canceledBy,
  firstSuperseded,
  isListed,
  repeatOf,
} from "../rules/enqueue.ts";
import { filesSentWith } from "../rules/file-uses.ts";
import { OVERDUE_AT_ONCE, overdueOutcome } from "../rules/overdue.ts";
import { againOf, assertRetryable } from "../rules/retry.ts";
import { beforeQuestion, sourceOfBefore, type EarlyRow } from "../rules/said-before.ts";
import { claimedEvent, END_REASONS, handedBackEvent, LEASE_RAN_OUT, queuedEvents } from "../rules/told.ts";
import type { TurnRow } from "../rules/turns.ts";
import { judge, trialMs, type OwnerEnd, type Suspicion } from "../rules/blame.ts";
import { monotonicMs } from "./clock.ts";
import { Family } from "./family.ts";
import type { EndingRun, Journal } from "./journal.ts";
import { queueStatements } from "./queue-statements.ts";
import { askedOf, ownerKey, toRun, type RunRow } from "../rules/rows.ts";

interface Leaving {
  readonly end: OwnerEnd;
  readonly reason: string;
  /** When the owner ended, by `monotonicMs`; null when unknown. */
  readonly mono: number | null;
}

export class Queue {
  readonly #sql: ReturnType<typeof queueStatements>;
  readonly #family: Family;
  readonly #journal: Journal;
  readonly #limits: EngineLimits;

  constructor(db: DatabaseSync, journal: Journal, limits: EngineLimits) {
    this.#sql = queueStatements(db);
    this.#family = new Family(db);
    this.#journal = journal;
    this.#limits = limits;
  }

  enqueue(asked: NewRun): { run: Run; created: boolean } {
    const parent = asked.parentRunId === null ? undefined : this.#get(asked.parentRunId);
    const request = parent ? { ...asked, principal: parent.principal } : asked;
    const first = repeatOf(request, this.#byKey(request), this.#get(request.runId));
    if (first) return { run: toRun(first), created: false };
    const thread = this.#sql.threadPrincipal.get(request.threadId) as { principal: string } | undefined;
    if (!thread) this.#assertNotLeaving(request.threadId);
    assertOwnThread(request, thread?.principal);
    this.#assertOwnShare(request);
    const ahead = asked.parentRunId === null ? this.#admit() : this.#admitChild(asked.parentRunId, parent);
    for (const fileId of filesSentWith(request)) if (!this.#sql.file.get(fileId)) throw fileNotFound(fileId);
    this.#takePlace(request);
    const before = this.#before(request);
    const row = this.#insert(request);
    const run = toRun(row);
    this.#journal.appendMessages(row, [...before, { role: "user", content: request.content ?? request.message }]);
    this.#journal.appendEvents(row, queuedEvents(run, ahead));
    return { run, created: true };
  }

  /** Asked after `#takePlace`, which may have superseded what the thread has. */
  #before({ before = [], threadId }: NewRun): readonly Message[] {
    if (before.length === 0) return [];
    const source = sourceOfBefore(this.#sql.early.all(threadId) as unknown as EarlyRow[]);
    if (source === undefined) return [];
    return source === "client" ? before : beforeQuestion(this.#sql.messagesOf.all(source) as unknown as TurnRow[]);
  }

  /** Cancels and supersedes the runs that the request replaces. @throws AppError before anything is written */
  #takePlace(request: NewRun): void {
    const { supersedes, threadId, principal } = request;
    const underWay = this.#sql.underWay.all(threadId) as { id: string; n: number }[];
    const first = supersedes && this.#firstSuperseded(supersedes, threadId, principal);
    for (const id of canceledBy(request, underWay, first)) this.#cancelFamily(id);
    if (first) this.#sql.supersede.run(threadId, first.n);
  }

  #firstSuperseded(by: Superseded, threadId: string, principal: string): RunRow | undefined {
    const named = "key" in by ? this.#sql.byKey.get(principal, by.key) : this.#sql.byId.get(by.runId);
    const newest = () => this.#sql.newest.get(threadId) as RunRow | undefined;
    return firstSuperseded(by, threadId, { named: named as RunRow | undefined, newest });
  }

  cancel(runId: string): Run | undefined {
    const run = this.#get(runId);
    if (!run) return undefined;
    if (!isOver(run.status)) this.#cancelFamily(runId);
    const after = this.#get(runId);
    return after && toRun(after);
  }

  retry({ of, ...asked }: RetryRequest): { run: Run; created: boolean } | undefined {
    const old = this.#get(of);
    // A run whose thread was deleted a moment ago counts as gone.
    if (!old || !this.#sql.threadPrincipal.get(old.thread_id)) return undefined;
    const first = this.#sql.retryOf.get(of) as RunRow | undefined;
    if (first) return { run: toRun(first), created: false };
    assertRetryable(old);
    const request = againOf(old, asked);
    this.#assertOwnShare(request);
    const ahead = this.#admit();
    const { n } = this.#insert(request);
    const row = this.#sql.markRetry.get(of, n) as unknown as RunRow;
    const run = toRun(row);
    this.#journal.copyCheckpoint(old, row);
    this.#journal.appendEvents(row, queuedEvents(run, ahead));
    return { run, created: true };
  }

  /** Ends the run, and the delegated runs below it that are under way: nobody waits for them any more. */
  end(run: EndingRun, outcome: Outcome): void {
    this.#journal.end(run, outcome);
    this.#cancelFamily(run.id);
  }

  /** Whether any run has waited for too long. Only reads. */
  isAnyOverdue(): boolean {
    return this.#overdue(1).length > 0;
  }

  /** Ends some of the runs that have waited for too long. @returns false when none is left */
  endOverdue(): boolean {
    const runs = this.#overdue(OVERDUE_AT_ONCE);
    for (const run of runs) this.end(run, overdueOutcome(run.queue_ms));
    return runs.length === OVERDUE_AT_ONCE;
  }

  #overdue(limit: number): (RunRow & { readonly queue_ms: number })[] {
    const times = { now: Date.now(), mono: monotonicMs() };
    return this.#sql.overdue.all({ limit, ...times }) as unknown as (RunRow & { readonly queue_ms: number })[];
  }

  claim({ owner, limit, leaseMs }: { owner: Owner; limit: number; leaseMs: number }): Claim[] {
    this.#requeueAll(this.#sql.expired.all(), { end: "gone", reason: LEASE_RAN_OUT, mono: monotonicMs() });
    const times = { now: Date.now(), mono: monotonicMs() };
    return this.#claimable(limit, times).map((row) => {
      const claimed = this.#sql.claim.get({ n: row.n, owner: ownerKey(owner), lease: leaseMs, ...times });
      const { fence, round, ...run } = claimed as unknown as RunRow & { readonly round: number };
      this.#sql.claimedRound.run({ round });
      this.#journal.appendEvents(row, [claimedEvent(owner, run.attempts)]);
      return {
        run: toRun({ ...run, fence }),
        fence,
        asked: askedOf(run),
        spentMs: run.spent_ms,
        trialMs: trialMs(row),
      };
    });
  }

  extend({ owner, runIds, leaseMs }: { owner: Owner; runIds: readonly string[]; leaseMs: number }) {
    const rows = this.#sql.extend.all(leaseMs, ownerKey(owner), JSON.stringify(runIds));
    return new Map(
      (rows as { id: string; cancel_requested: 0 | 1 }[]).map((row) => [
        row.id,
        { cancelRequested: row.cancel_requested === 1 },
      ]),
    );
  }

  release(left: Left, end: OwnerEnd): number {
    const isOwner = "owner" in left;
    const rows = isOwner
      ? this.#ownedBy(left.owner, left.runIds)
      : this.#sql.ofOtherBoots.all({ machine: `${left.machine}/`, boot: `${left.machine}/${left.exceptBoot}/` });
    // Nobody knows how long an earlier boot worked before it ended: the time since its claims would count the pause,
    // too.
    this.#requeueAll(rows, { end, reason: END_REASONS[end], mono: isOwner ? monotonicMs() : null });
    return rows.length;
  }

  #ownedBy(owner: Owner, runIds: readonly string[] | undefined) {
    const rows = this.#sql.ownedBy.all(ownerKey(owner));
    return runIds ? rows.filter(({ id }) => runIds.includes(String(id))) : rows;
  }

  #byKey({ principal, idempotencyKey }: NewRun): RunRow | undefined {
    if (idempotencyKey === null) return undefined;
    return this.#sql.byKey.get(principal, idempotencyKey) as RunRow | undefined;
  }

  /** The removal of a long thread takes a moment: a new thread of the same id must not find its runs. */
  #assertNotLeaving(threadId: string): void {
    if (!this.#sql.anyOf.get(threadId)) return;
    throw new AppError("THREAD_BUSY", `Thread ${threadId} is being deleted; send the request again.`, {
      retryAfterS: 1,
    });
  }

  #assertOwnShare(request: NewRun): void {
    assertOwnShare(request, () => (this.#sql.countOwnQueued.get(request.principal) as { queued: number }).queued);
  }

  /** @returns how many runs wait before this one */
  #admit(): number {
    const { queued } = this.#sql.countQueued.get() as { queued: number };
    assertAdmitted(queued, this.#limits.queued);
    return queued;
  }

  /** @returns how many delegated runs wait before this one: they are claimed before all others */
  #admitChild(parentId: string, parent: RunRow | undefined): number {
    assertMayDelegate(parentId, parent && toRun(parent), () => this.#family.placeBelow(parentId));
    return (this.#sql.countDelegated.get() as { queued: number }).queued;
  }

  #insert(request: NewRun): RunRow {
    const now = Date.now();
    this.#sql.upsertThread.run(request.threadId, request.principal, now, now);
    const head = this.#sql.underWay.get(request.threadId) === undefined ? 1 : 0;
    const row = this.#sql.insert.get({
      id: request.runId,
      thread: request.threadId,
      agent: request.agentId,
      parent: request.parentRunId,
      title: titleOf(request.message),
      head,
      now,
      mono: monotonicMs(),
      timeout: request.timeoutMs,
      queue: request.queueTimeoutMs ?? null,
      metadata: JSON.stringify(request.metadata),
      asked: request.asked ? JSON.stringify(request.asked) : null,
      principal: request.principal,
      key: request.idempotencyKey,
      fingerprint: request.fingerprint,
      ephemeral: request.ephemeral ? 1 : 0,
    }) as unknown as RunRow;
    this.#sql.moveUp.run(isListed(request) ? row.n : 0, row.thread_id);
    return row;
  }

  /**
   * Delegated runs come first, from two indexes: a sort would read everything that is queued. Overdue runs are left to
   * the upkeep, which ends them.
   */
  #claimable(limit: number, times: { readonly now: number; readonly mono: number }): RunRow[] {
    const delegated = this.#sql.delegated.all(limit);
    const own = this.#sql.claimable.all({ limit: limit - delegated.length, ...times });
    return [...delegated, ...own] as unknown as RunRow[];
  }

  #cancelFamily(runId: string): void {
    for (const run of this.#family.underWay(runId)) {
      if (run.status === "running") this.#sql.requestCancel.run(run.n);
      else this.#journal.end(run, { status: "canceled" });
    }
  }

  /** @param rows with their `hasToolUnderWay`; parents come before the runs that they delegated */
  #requeueAll(rows: unknown[], why: Leaving): void {
    const left = rows as { id: string; hasToolUnderWay: 0 | 1 }[];
    const suspects = left.filter(({ hasToolUnderWay }) => hasToolUnderWay).length;
    for (const { id, hasToolUnderWay } of left) {
      // Read the run anew: an earlier run of `rows` may be its parent, whose end has ended this run too.
      const run = this.#get(id);
      if (run?.status !== "running") continue;
      const voided = this.#journal.closeOpen(run);
      const verdict = judge(
        { ...run, hasToolUnderWay: hasToolUnderWay === 1, cancelRequested: run.cancel_requested === 1 },
        why.end,
        suspects,
      );
      if (verdict.is === "end") this.end(run, verdict.outcome);
      else this.#requeue(run, verdict.suspicion, { ...why, voided });
    }
  }

  #requeue(run: RunRow, { crashes, losses }: Suspicion, why: Leaving & { readonly voided: string[] }): void {
    this.#sql.requeue.run({ n: run.n, crashes, losses, mono: why.mono });
    this.#journal.appendEvents(run, [handedBackEvent(run, why.reason, why.voided)]);
  }

  #get(runId: string): RunRow | undefined {
    return this.#sql.byId.get(runId) as RunRow | undefined;
  }
}
