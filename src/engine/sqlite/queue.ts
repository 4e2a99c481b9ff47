/**
 * The run queue, inside a transaction that the caller has begun: enqueue, cancel, claim, extend and
 * release. Called by `engine.ts`; it never begins or commits.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { AppError, type ErrorCode } from "../../core/errors.ts";
import { customEvent, type RunEvent } from "../../core/event.ts";
import { isOver, titleOf, type NewRun, type Outcome, type Run } from "../../core/run.ts";
import type { Claim, EngineLimits } from "../engine.ts";
import { judge, trialMs, type OwnerEnd, type Suspicion } from "../rules/blame.ts";
import { Family } from "./family.ts";
import type { EndingRun, Journal } from "./journal.ts";
import { LIMIT, toRun, type RunRow } from "./rows.ts";

/** Why a run has a new owner, for its readers. */
const REASONS: Readonly<Record<OwnerEnd, string>> = {
  crashed: "its process died",
  stopped: "its process was stopped",
  gone: "its process is gone",
};

// Whether a tool call of the run is under way that could end its process: see ToolCall.contained.
const TOOL_UNDER_WAY =
  "EXISTS (SELECT 1 FROM tool_calls c WHERE c.run_n = runs.n AND c.result IS NULL AND c.fence = runs.fence)";

export class Queue {
  readonly #sql: ReturnType<typeof statements>;
  readonly #family: Family;
  readonly #journal: Journal;
  readonly #limits: EngineLimits;

  constructor(db: DatabaseSync, journal: Journal, limits: EngineLimits) {
    this.#sql = statements(db);
    this.#family = new Family(db);
    this.#journal = journal;
    this.#limits = limits;
  }

  enqueue(asked: NewRun): { run: Run; created: boolean } {
    const parent = asked.parentRunId === null ? undefined : this.#get(asked.parentRunId);
    const request = parent ? { ...asked, principal: parent.principal } : asked;
    // Before the checks: after a crash an agent asks again for what it delegated, whatever became of the parent.
    const first = this.#repeatOf(request);
    if (first) return { run: toRun(first), created: false };
    const ahead = asked.parentRunId === null ? this.#admit() : this.#admitChild(asked.parentRunId, parent);
    this.#applyStrategy(request);
    const run = this.#insert(request);
    this.#journal.appendMessages(run, [...(request.before ?? []), { role: "user", content: request.message }]);
    this.#journal.appendEvents(run, [
      { type: "RUN_STARTED", threadId: run.thread_id, runId: run.id },
      customEvent("evenkeel.queued", { agent_id: run.agent_id, ahead }),
    ]);
    return { run: toRun(run), created: true };
  }

  cancel(runId: string): Run | undefined {
    const run = this.#get(runId);
    if (!run) return undefined;
    if (!isOver(run.status)) this.#cancelFamily(runId);
    const after = this.#get(runId);
    return after && toRun(after);
  }

  /** Ends the run, and what is under way of all that it delegated: nobody waits for that any more. */
  end(run: EndingRun, outcome: Outcome): void {
    this.#journal.end(run, outcome);
    this.#cancelFamily(run.id);
  }

  claim({ owner, limit, leaseMs }: { owner: string; limit: number; leaseMs: number }): Claim[] {
    const now = Date.now();
    this.#requeueAll(this.#sql.expired.all(now), "gone", "its lease ran out");
    return this.#claimable(limit).map((row) => {
      const fence = row.fence + 1;
      this.#sql.claim.run({ n: row.n, owner, fence, until: now + leaseMs, now });
      this.#journal.appendEvents(row, [customEvent("evenkeel.claimed", { owner, attempt: fence })]);
      const run = toRun({ ...row, status: "running", owner, fence, started_at: row.started_at ?? now });
      return { run, fence, trialMs: trialMs(row) };
    });
  }

  extend({
    owner,
    runIds,
    leaseMs,
  }: {
    owner: string;
    runIds: readonly string[];
    leaseMs: number;
  }): ReadonlySet<string> {
    const rows = this.#sql.extend.all(Date.now() + leaseMs, owner, JSON.stringify(runIds)) as { id: string }[];
    return new Set(rows.map(({ id }) => id));
  }

  release(owner: string | undefined, end: OwnerEnd): number {
    const rows = owner === undefined ? this.#sql.running.all() : this.#sql.ownedBy.all(owner);
    this.#requeueAll(rows, end, REASONS[end]);
    return rows.length;
  }

  /** The run that this request already made, if it is a repeat. */
  #repeatOf({ runId, runIdChosen, principal, idempotencyKey, fingerprint }: NewRun): RunRow | undefined {
    const check = (row: RunRow | undefined, code: ErrorCode, what: string) => {
      if (row && row.fingerprint !== fingerprint) {
        throw new AppError(code, `${what} was used for a different request; send a new one, or the same body.`);
      }
      return row;
    };
    if (idempotencyKey !== null) {
      const row = this.#sql.byKey.get(principal, idempotencyKey) as RunRow | undefined;
      if (row) return check(row, "IDEMPOTENCY_MISMATCH", `Idempotency-Key "${idempotencyKey}"`);
    }
    return runIdChosen ? check(this.#get(runId), "RUN_ID_TAKEN", `run_id "${runId}"`) : undefined;
  }

  #admit(): number {
    const { queued } = this.#sql.countQueued.get() as { queued: number };
    if (queued < this.#limits.queued) return queued;
    throw new AppError("OVERLOADED", `${queued} runs are waiting already; try again in a few seconds.`, {
      retryAfterS: 5,
    });
  }

  /** A delegated run is not refused for a full queue: its parent was admitted, and waits for it. */
  #admitChild(parentId: string, parent: RunRow | undefined): number {
    this.#family.assertMayDelegate(parentId, parent);
    return (this.#sql.countDelegated.get() as { queued: number }).queued;
  }

  #applyStrategy({ threadId, strategy }: NewRun): void {
    if (strategy === "enqueue") return;
    const busy = this.#sql.underWay.all(threadId) as unknown as RunRow[];
    if (strategy === "reject" && busy[0]) {
      throw new AppError(
        "THREAD_BUSY",
        `Thread ${threadId} has run ${busy[0].id} under way; wait for it or cancel it.`,
      );
    }
    for (const run of busy) this.#cancelFamily(run.id);
  }

  #insert(request: NewRun): RunRow {
    const now = Date.now();
    this.#sql.upsertThread.run(request.threadId, now, now);
    const head = this.#sql.underWay.get(request.threadId) === undefined ? 1 : 0;
    const row = this.#sql.insert.get({
      id: request.runId,
      thread: request.threadId,
      agent: request.agentId,
      parent: request.parentRunId,
      title: titleOf(request.message),
      head,
      now,
      timeout: request.timeoutMs,
      metadata: JSON.stringify(request.metadata),
      principal: request.principal,
      key: request.idempotencyKey,
      fingerprint: request.fingerprint,
      ephemeral: request.ephemeral ? 1 : 0,
    }) as unknown as RunRow;
    const isListed = row.parent_id === null && !request.ephemeral;
    this.#sql.moveUp.run(isListed ? row.n : 0, row.thread_id);
    return row;
  }

  /** The delegated ones first, from two indexes: a sort would read everything that is queued. */
  #claimable(limit: number): RunRow[] {
    const delegated = this.#sql.delegated.all(limit);
    const own = this.#sql.claimable.all(limit - delegated.length);
    return [...delegated, ...own] as unknown as RunRow[];
  }

  #cancelFamily(runId: string): void {
    for (const run of this.#family.underWay(runId)) {
      if (run.status === "running") this.#sql.requestCancel.run(run.n);
      else this.#journal.end(run, { status: "canceled" });
    }
  }

  /** @param rows with their `hasToolUnderWay`, parents before what they delegated */
  #requeueAll(rows: unknown[], end: OwnerEnd, reason: string): void {
    const left = rows as { id: string; hasToolUnderWay: 0 | 1 }[];
    const suspects = left.filter(({ hasToolUnderWay }) => hasToolUnderWay).length;
    for (const { id, hasToolUnderWay } of left) {
      // Read the run anew: an earlier one of `rows` may be its parent, and its end has ended this one too.
      const run = this.#get(id);
      if (run?.status !== "running") continue;
      const voided = this.#journal.closeOpen(run);
      const verdict = judge(
        { ...run, hasToolUnderWay: hasToolUnderWay === 1, cancelRequested: run.cancel_requested === 1 },
        end,
        suspects,
      );
      if (verdict.is === "end") this.end(run, verdict.outcome);
      else this.#requeue(run, { reason, voided, ...verdict.suspicion });
    }
  }

  #requeue(run: RunRow, { reason, voided, crashes, losses }: Suspicion & { reason: string; voided: string[] }): void {
    this.#sql.requeue.run(crashes, losses, run.n);
    const attempt: RunEvent = customEvent("evenkeel.attempt", {
      of: "run",
      attempt: run.fence + 1,
      reason,
      void: voided,
    });
    this.#journal.appendEvents(run, [attempt]);
  }

  #get(runId: string): RunRow | undefined {
    return this.#sql.byId.get(runId) as RunRow | undefined;
  }
}

function statements(db: DatabaseSync) {
  return {
    byId: db.prepare("SELECT * FROM runs WHERE id = ?"),
    byKey: db.prepare("SELECT * FROM runs WHERE principal = ? AND idempotency_key = ?"),
    countQueued: db.prepare("SELECT count(*) AS queued FROM runs WHERE status = 'queued'"),
    underWay: db.prepare(
      "SELECT * FROM runs WHERE thread_id = ? AND status IN ('queued', 'running', 'waiting') ORDER BY n",
    ),
    upsertThread: db.prepare(
      "INSERT INTO threads (id, created_at, updated_at) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET updated_at = excluded.updated_at",
    ),
    insert: db.prepare(
      "INSERT INTO runs (id, thread_id, agent_id, parent_id, title, status, head, created_at, timeout_ms, metadata, principal, idempotency_key, fingerprint, ephemeral) " +
        "VALUES (:id, :thread, :agent, :parent, :title, 'queued', :head, :now, :timeout, :metadata, :principal, :key, :fingerprint, :ephemeral) RETURNING *",
    ),
    moveUp: db.prepare("UPDATE threads SET last_run = ? WHERE id = ?"),
    // Left to itself SQLite takes runs_by_status here and in the next two, and reads everything that is queued.
    countDelegated: db.prepare(
      "SELECT count(*) AS queued FROM runs INDEXED BY runs_delegated WHERE status = 'queued' AND head = 1 AND parent_id IS NOT NULL",
    ),
    delegated: db.prepare(
      `SELECT * FROM runs INDEXED BY runs_delegated WHERE status = 'queued' AND head = 1 AND parent_id IS NOT NULL ORDER BY n ${LIMIT}`,
    ),
    claimable: db.prepare(
      `SELECT * FROM runs INDEXED BY runs_claimable WHERE status = 'queued' AND head = 1 AND parent_id IS NULL ORDER BY n ${LIMIT}`,
    ),
    expired: db.prepare(
      `SELECT id, ${TOOL_UNDER_WAY} AS hasToolUnderWay FROM runs WHERE status = 'running' AND lease_until < ? ORDER BY n`,
    ),
    claim: db.prepare(
      "UPDATE runs SET status = 'running', owner = :owner, fence = :fence, lease_until = :until, " +
        "started_at = coalesce(started_at, :now) WHERE n = :n",
    ),
    extend: db.prepare(
      "UPDATE runs SET lease_until = ? WHERE owner = ? AND status = 'running' AND id IN (SELECT value FROM json_each(?)) RETURNING id",
    ),
    running: db.prepare(
      `SELECT id, ${TOOL_UNDER_WAY} AS hasToolUnderWay FROM runs WHERE status = 'running' ORDER BY n`,
    ),
    ownedBy: db.prepare(
      `SELECT id, ${TOOL_UNDER_WAY} AS hasToolUnderWay FROM runs WHERE owner = ? AND status = 'running' ORDER BY n`,
    ),
    requestCancel: db.prepare("UPDATE runs SET cancel_requested = 1 WHERE n = ?"),
    requeue: db.prepare(
      "UPDATE runs SET status = 'queued', owner = NULL, lease_until = NULL, crashes = ?, losses = ? WHERE n = ?",
    ),
  } satisfies Record<string, StatementSync>;
}
