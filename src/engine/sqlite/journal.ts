/**
 * Writes to the journal, inside a transaction that the caller has begun: events with their seq, the activities that
 * follow from them, thread messages, the tool ledger, and a run's end. Called by `queue.ts` and `engine.ts`; never
 * begins or commits a transaction.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { finishesStep } from "../rules/blame.ts";
import { retriedMessages } from "../rules/retry.ts";
import { activityOf, withRun, type Activity, type NewActivity } from "../../core/activity.ts";
import { journalRow, OpenItems, terminalEvent, type RunEvent } from "../../core/event.ts";
import type { Message } from "../../core/message.ts";
import { finishReasonOf, type Outcome } from "../../core/run.ts";
import type { Step, ToolCall } from "../engine.ts";
import { leaseLost } from "../rules/lease-lost.ts";
import { ledgerActivity, parkedActivity } from "../rules/told.ts";
import { LEASE_CLOCK, monotonicMs, RUN_TIME } from "./clock.ts";
import { FileUses } from "./file-uses.ts";
import type { SpendingBook } from "./spending.ts";
import { usageOf, type RunRow } from "../rules/rows.ts";
import { toMessage, type TurnRow } from "../rules/turns.ts";

/** The run that rows belong to. */
type RunRef = Pick<RunRow, "n" | "id" | "thread_id" | "agent_id" | "principal">;
/** The few fields of its run that a write under a fence needs: every frame of text reads them. */
type OwnedRun = RunRef &
  Pick<RunRow, "status" | "fence" | "usage" | "cancel_requested" | "waiting"> & {
    readonly last_seq: number | null;
  };
export type EndingRun = RunRef & Pick<RunRow, "usage">;

/**
 * Every so many rows of text, a write checks whether the lease is due. [Checking at each row cost a tenth of an
 * append.]
 */
const RENEWING_SEQ = 16;

export class Journal {
  readonly #sql: ReturnType<typeof statements>;
  readonly #uses: FileUses;
  readonly #spending: SpendingBook;

  constructor(db: DatabaseSync, spending: SpendingBook) {
    this.#sql = statements(db);
    this.#uses = new FileUses(db);
    this.#spending = spending;
  }

  /** Writes the step of a run that `fence` still owns. @throws AppError LEASE_LOST before anything is written */
  writeStep(step: Step): OwnedRun {
    const run = this.#sql.ownedRun.get(step.runId) as OwnedRun | undefined;
    if (run?.status !== "running" || run.fence !== step.fence) {
      throw leaseLost(step);
    }
    const lastSeq = run.last_seq ?? 0;
    this.#appendBehind(lastSeq, run, step.events);
    if (step.messages || step.toolCalls || lastSeq % RENEWING_SEQ === 0) this.#sql.renew.run(run.n);
    if (step.messages) this.appendMessages(run, step.messages);
    if (step.toolCalls) this.#writeToolCalls(run, step.toolCalls);
    if (step.waiting !== undefined) this.#park(run, step);
    if (finishesStep(step)) this.#sql.resetSuspicion.run(run.n);
    if (step.usage !== undefined || step.steps !== undefined) {
      if (step.usage && step.bill) this.#spending.book(run, step.usage, step.bill);
      const usage = step.usage ? JSON.stringify(step.usage) : null;
      this.#sql.progress.run({ n: run.n, usage, steps: step.steps ?? null });
    }
    return step.usage ? { ...run, usage: JSON.stringify(step.usage) } : run;
  }

  #park(run: OwnedRun, step: Step): void {
    this.#sql.park.run(step.waiting ? JSON.stringify(step.waiting) : null, run.n);
    const at = Date.now();
    for (const activity of parkedActivity(run.waiting, step))
      this.insertActivity(this.#withRun(activity, run, at), run, at);
  }

  appendEvents(run: RunRef, events: readonly RunEvent[]): void {
    if (events.length === 0) return;
    const last = this.#sql.lastSeq.get(run.n) as { seq: number | null };
    this.#appendBehind(last.seq ?? 0, run, events);
  }

  #appendBehind(lastSeq: number, run: RunRef, events: readonly RunEvent[]): void {
    const at = Date.now();
    let last = lastSeq;
    for (const event of events) {
      last += 1;
      const { seq, type, data } = journalRow(event, last, at);
      this.#sql.insertEvent.run(run.n, seq, type, data);
      const activity = activityOf(event);
      if (activity) this.insertActivity(this.#withRun(activity, run, at), run, at);
    }
  }

  #withRun(activity: NewActivity, { n }: RunRef, at: number): NewActivity {
    const row = this.#sql.aboutRun.get(n) as Pick<RunRow, "title" | "created_at" | "usage"> | undefined;
    return row ? withRun(activity, { ...row, usage: usageOf(row) }, at) : activity;
  }

  appendMessages(run: RunRef, messages: readonly Message[]): void {
    const last = this.#sql.lastMessage.get(run.n) as { idx: number | null };
    let idx = last.idx ?? -1;
    for (const { role, content, ...about } of messages) {
      idx += 1;
      const more = Object.keys(about).length > 0 ? JSON.stringify(about) : null;
      const stored = JSON.stringify(content);
      this.#sql.insertMessage.run(run.n, idx, run.thread_id, role, stored, more, Date.now());
      this.#uses.record(run.n, stored);
    }
  }

  /**
   * Copies what run `from` left to run `to`: its messages, and the ledger of the calls that have no result among them.
   */
  copyCheckpoint(from: RunRef, to: RunRef): void {
    const rows = this.#sql.messages.all(from.n) as unknown as Pick<TurnRow, "role" | "content" | "about">[];
    this.appendMessages(to, retriedMessages(rows.map(toMessage)));
    this.#sql.copyToolCalls.run({ from: from.n, to: to.n });
    this.#uses.copy(from.n, to.n);
  }

  /**
   * @param of the run that the activity belongs to; only the principal when a thread was deleted; empty for a notice
   */
  insertActivity({ type, detail }: NewActivity, of: Partial<RunRef>, at = Date.now()): Activity {
    const { agent_id = null, thread_id = null, id: run_id = null, principal = null } = of;
    const text = JSON.stringify(detail);
    const { lastInsertRowid } = this.#sql.insertActivity.run({
      at,
      type,
      agent_id,
      thread_id,
      run_id,
      principal,
      text,
    });
    return { seq: Number(lastInsertRowid), at, type, agent_id, thread_id, run_id, detail };
  }

  /** Ends the run: sets its status, adds its terminal event, and lets the next run of its thread be claimed. */
  end(run: EndingRun, outcome: Outcome): void {
    this.#sql.end.run({
      n: run.n,
      status: outcome.status,
      now: Date.now(),
      mono: monotonicMs(),
      reply: outcome.status === "completed" ? outcome.reply : null,
      reason: finishReasonOf(outcome),
      output: outcome.status === "completed" && outcome.output !== undefined ? JSON.stringify(outcome.output) : null,
      error: outcome.status === "failed" ? JSON.stringify(outcome.error) : null,
    });
    this.appendEvents(run, [terminalEvent({ run_id: run.id, thread_id: run.thread_id }, outcome, usageOf(run))]);
    this.#sql.promote.run(run.thread_id);
    this.#sql.touchThread.run(Date.now(), run.thread_id);
  }

  /**
   * Closes the items that a vanished owner left open. Returns the ids of the messages and tool calls that are void now.
   */
  closeOpen(run: RunRef): string[] {
    const open = new OpenItems();
    for (const row of this.#sql.events.iterate(run.n) as Iterable<{ data: string }>) {
      open.see(JSON.parse(row.data) as RunEvent);
    }
    const { events, voided } = open.close();
    this.appendEvents(run, events);
    return voided;
  }

  #writeToolCalls(run: OwnedRun, calls: readonly ToolCall[]): void {
    for (const call of calls) {
      const { stepsBefore, toolCallId, name, effects, contained } = call;
      const result = call.result && JSON.stringify(call.result);
      this.#sql.upsertToolCall.run({
        run: run.n,
        step: stepsBefore,
        id: toolCallId,
        name,
        effects,
        fence: contained ? null : run.fence,
        result,
      });
      if (result !== null) this.#uses.record(run.n, result);
      this.insertActivity(ledgerActivity(call), run);
    }
  }
}

function statements(db: DatabaseSync) {
  return {
    ownedRun: db.prepare(
      "SELECT n, id, thread_id, agent_id, principal, status, fence, usage, cancel_requested, waiting, " +
        "(SELECT max(seq) FROM events WHERE run_n = runs.n) AS last_seq FROM runs WHERE id = ?",
    ),
    aboutRun: db.prepare("SELECT title, created_at, usage FROM runs WHERE n = ?"),
    // Renews only when more than half of the lease is gone, so that the row is seldom written.
    renew: db.prepare(
      `UPDATE runs SET lease_until = ${LEASE_CLOCK} + lease_ms WHERE n = ? AND lease_until - ${LEASE_CLOCK} < lease_ms / 2`,
    ),
    lastSeq: db.prepare("SELECT max(seq) AS seq FROM events WHERE run_n = ?"),
    insertEvent: db.prepare("INSERT INTO events (run_n, seq, type, data) VALUES (?, ?, ?, ?)"),
    // Leave deltas out: they open and close nothing, and are nearly all of a journal.
    events: db.prepare(
      "SELECT data FROM events WHERE run_n = ? AND (type LIKE '%START%' OR type LIKE '%END%' OR type LIKE 'STEP%' OR type = 'CUSTOM') ORDER BY seq",
    ),
    lastMessage: db.prepare("SELECT max(idx) AS idx FROM messages WHERE run_n = ?"),
    messages: db.prepare("SELECT role, content, about FROM messages WHERE run_n = ? ORDER BY idx"),
    // A new run has made no steps, so its ledger begins at step 0.
    copyToolCalls: db.prepare(
      "INSERT INTO tool_calls (run_n, step, id, name, effects, result) SELECT :to, 0, id, name, effects, result " +
        "FROM tool_calls WHERE run_n = :from AND step = (SELECT steps FROM runs WHERE n = :from)",
    ),
    insertMessage: db.prepare(
      "INSERT INTO messages (run_n, idx, thread_id, role, content, about, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
    ),
    insertActivity: db.prepare(
      "INSERT INTO activities (at, type, agent_id, thread_id, run_id, principal, detail) " +
        "VALUES (:at, :type, :agent_id, :thread_id, :run_id, :principal, :text)",
    ),
    progress: db.prepare(
      "UPDATE runs SET usage = coalesce(:usage, usage), steps = coalesce(:steps, steps) WHERE n = :n",
    ),
    park: db.prepare("UPDATE runs SET waiting = ? WHERE n = ?"),
    resetSuspicion: db.prepare("UPDATE runs SET crashes = 0, losses = 0 WHERE n = ? AND crashes + losses > 0"),
    upsertToolCall: db.prepare(
      "INSERT INTO tool_calls (run_n, step, id, name, effects, fence, result) " +
        "VALUES (:run, :step, :id, :name, :effects, :fence, :result) ON CONFLICT (run_n, step, id) DO UPDATE " +
        "SET name = excluded.name, effects = excluded.effects, fence = excluded.fence, result = excluded.result",
    ),
    end: db.prepare(
      `UPDATE runs SET status = :status, finished_at = ${RUN_TIME}, owner = NULL, lease_until = NULL, head = 0, ` +
        "reply = :reply, finish_reason = :reason, output = :output, error = :error WHERE n = :n",
    ),
    promote: db.prepare(
      "UPDATE runs SET head = 1 WHERE n = (SELECT n FROM runs WHERE thread_id = ? " +
        "AND status IN ('queued', 'running') ORDER BY n LIMIT 1)",
    ),
    touchThread: db.prepare("UPDATE threads SET updated_at = ? WHERE id = ?"),
  } satisfies Record<string, StatementSync>;
}
