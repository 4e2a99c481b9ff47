/** Everything that only reads, on a connection that never writes. Called by `engine.ts`. */
import type { ThreadSummary } from "../../api/threads.ts";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Activity } from "../../core/activity.ts";
import type { JournalEvent } from "../../core/event.ts";
import type { NewRun, Run } from "../../core/run.ts";
import type {
  ActivityCounts,
  ActivityFilter,
  EventPage,
  MessagePage,
  AttributedActivity,
  RunOrThread,
  ListPage,
  RunFilter,
  ThreadFilter,
  ToolCall,
  Turn,
} from "../engine.ts";
import { eventBehind, type StoredRow } from "../rules/joined.ts";
import { LEASE_CLOCK } from "./clock.ts";
import { ACTIVITY_LIST, Lists, RUN_LIST } from "./lists.ts";
import { toActivity, toAttributed, toListed, toRun, type ActivityRow, type RunRow } from "../rules/rows.ts";
import {
  equalOfActivities,
  equalOfRuns,
  placeOf,
  positionOf,
  THREAD,
  toCounts,
  toSummary,
  toThreadPage,
  type CountRow,
  type ThreadRow,
} from "../rules/reads.ts";
import { LIMIT, TURN } from "./sql.ts";
import { toStoredJson, toToolCall, toTurns, type QuestionRow, type ToolCallRow, type TurnRow } from "../rules/turns.ts";
import { questionIdx } from "../rules/unsent.ts";

export class Reads {
  readonly #sql: ReturnType<typeof statements>;
  readonly #lists: Lists;

  constructor(db: DatabaseSync) {
    this.#lists = new Lists(db);
    this.#sql = statements(db);
  }

  run(runId: string): Run | undefined {
    const row = this.#sql.run.get(runId) as RunRow | undefined;
    return row && toRun(row);
  }

  runs(filter: RunFilter): ListPage<Run> {
    const { limit, before } = filter;
    const { rows, next } = this.#lists.page(RUN_LIST, limit, { before, equal: equalOfRuns(filter) });
    return { items: (rows as unknown as RunRow[]).map(toListed), next };
  }

  activities(filter: ActivityFilter): ListPage<Activity> {
    const { limit, before, after } = filter;
    const { rows, next } = this.#lists.page(ACTIVITY_LIST, limit, { before, after, equal: equalOfActivities(filter) });
    return { items: (rows as unknown as ActivityRow[]).map(toActivity), next };
  }

  activitiesAfter(after: number, limit: number, principal?: string): AttributedActivity[] {
    const { activitiesAfter, ownActivitiesAfter } = this.#sql;
    const rows =
      principal === undefined ? activitiesAfter.all(after, limit) : ownActivitiesAfter.all(principal, after, limit);
    return (rows as unknown as ActivityRow[]).map(toAttributed);
  }

  threads({ limit, before = Number.MAX_SAFE_INTEGER, principal }: ThreadFilter): ListPage<ThreadSummary> {
    const { threads, ownThreads } = this.#sql;
    const found = principal === undefined ? threads.all(before, limit) : ownThreads.all(principal, before, limit);
    return toThreadPage(found as unknown as ThreadRow[], limit);
  }

  principalOf({ runId, threadId }: RunOrThread): string | undefined {
    const row = this.#sql.principalOf.get(runId ?? null, threadId ?? null);
    return row && String(row["principal"]);
  }

  thread(threadId: string): ThreadSummary | undefined {
    const row = this.#sql.thread.get(threadId) as ThreadRow | undefined;
    return row && toSummary(row);
  }

  messages(threadId: string, { before = Number.MAX_SAFE_INTEGER, limit, characters = Infinity }: MessagePage) {
    const { run, index } = placeOf(before);
    const newestFirst: string[] = [];
    let read = 0;
    let next: number | null = null;
    for (const found of this.#sql.messages.iterate({ thread: threadId, run, index, limit: limit + 1 })) {
      // More rows exist than the page takes, so the page has a next one.
      if (newestFirst.length === limit || read >= characters) return { items: newestFirst.toReversed(), next };
      const row = found as unknown as TurnRow;
      const json = toStoredJson(row, () => this.#sql.failedBefore.get(threadId, row.run_n) as QuestionRow | undefined);
      newestFirst.push(json);
      read += json.length;
      next = positionOf(row);
    }
    return { items: newestFirst.toReversed(), next: null };
  }

  events(runId: string, after: number, { limit, characters = Infinity }: EventPage): JournalEvent[] {
    const events: JournalEvent[] = [];
    let read = 0;
    // Read row by row, so that rows behind the end of the page are not even read from the disk.
    for (const row of this.#sql.events.iterate(runId, after, limit)) {
      const event = eventBehind(after, row as unknown as StoredRow);
      events.push(event);
      read += event.data.length;
      if (read >= characters) break;
    }
    return events;
  }

  lastEvent(runId: string): number {
    return (this.#sql.lastEvent.get(runId) as { seq: number | null }).seq ?? 0;
  }

  history(runId: string): Turn[] {
    const ledger = this.#sql.threadToolCalls.all(runId) as unknown as ToolCallRow[];
    return toTurns(this.#sql.history.all(runId) as unknown as TurnRow[], ledger);
  }

  toolCalls(runId: string): ToolCall[] {
    return (this.#sql.toolCalls.all(runId) as unknown as ToolCallRow[]).map(toToolCall);
  }

  /** Whether a claim would find anything. A look costs no write transaction. */
  claimable(): boolean {
    return this.#sql.claimable.get() !== undefined;
  }

  lastActivity(): number {
    return (this.#sql.lastActivity.get() as { seq: number | null }).seq ?? 0;
  }

  countActivities(after: number): ActivityCounts {
    return toCounts(after, this.#sql.countActivities.all(after) as unknown as CountRow[]);
  }

  ownQueued(principal: string): number {
    return (this.#sql.ownQueued.get(principal) as { queued: number }).queued;
  }

  isRepeat({ runId, principal, idempotencyKey }: NewRun): boolean {
    return this.#sql.repeat.get(runId, principal, idempotencyKey) !== undefined;
  }

  counts(): Record<"queued" | "running", number> {
    const counts = { queued: 0, running: 0 };
    for (const row of this.#sql.counts.all() as { status: keyof typeof counts; runs: number }[])
      counts[row.status] = row.runs;
    return counts;
  }
}

/** The principal of a run or of a thread. The id that is not given is null, and finds nothing. */
const PRINCIPAL = "SELECT principal FROM runs WHERE id = ? UNION ALL SELECT principal FROM threads WHERE id = ?";

function statements(db: DatabaseSync) {
  return {
    run: db.prepare("SELECT * FROM runs WHERE id = ?"),
    events: db.prepare(
      `SELECT seq, type, data, joined FROM events WHERE run_n = (SELECT n FROM runs WHERE id = ?) AND seq > ? ORDER BY seq ${LIMIT}`,
    ),
    lastEvent: db.prepare("SELECT max(seq) AS seq FROM events WHERE run_n = (SELECT n FROM runs WHERE id = ?)"),
    ...threadStatements(db),
    toolCalls: db.prepare(
      "SELECT run_n, step, id, name, effects, result FROM tool_calls WHERE run_n = (SELECT n FROM runs WHERE id = ?)",
    ),
    threadToolCalls: db.prepare(
      "SELECT c.run_n, c.step, c.id, c.name, c.effects, c.result FROM runs last " +
        "CROSS JOIN runs r ON r.thread_id = last.thread_id AND r.n < last.n AND r.status IN ('failed', 'canceled') " +
        "CROSS JOIN tool_calls c ON c.run_n = r.n WHERE last.id = ?",
    ),
    claimable: db.prepare(
      "SELECT 1 FROM runs WHERE status = 'queued' AND head = 1 UNION ALL " +
        `SELECT 1 FROM runs WHERE status = 'running' AND lease_until < ${LEASE_CLOCK} LIMIT 1`,
    ),
    ownActivitiesAfter: db.prepare(`SELECT * FROM activities WHERE principal = ? AND seq > ? ORDER BY seq ${LIMIT}`),
    activitiesAfter: db.prepare(`SELECT * FROM activities WHERE seq > ? ORDER BY seq ${LIMIT}`),
    lastActivity: db.prepare("SELECT max(seq) AS seq FROM activities"),
    // The + keeps the planner on the range of new rows, instead of reading all activities by type.
    countActivities: db.prepare(
      "SELECT type, count(*) AS many, max(seq) AS last FROM activities WHERE seq > ? GROUP BY +type",
    ),
    ownQueued: db.prepare("SELECT count(*) AS queued FROM runs WHERE principal = ? AND status = 'queued'"),
    repeat: db.prepare(
      "SELECT 1 FROM runs WHERE id = ? UNION ALL SELECT 1 FROM runs WHERE principal = ? AND idempotency_key = ?",
    ),
    counts: db.prepare(
      "SELECT status, count(*) AS runs FROM runs WHERE status IN ('queued', 'running') GROUP BY status",
    ),
  } satisfies Record<string, StatementSync>;
}

function threadStatements(db: DatabaseSync) {
  return {
    threads: db.prepare(`${THREAD} WHERE t.last_run > 0 AND t.last_run < ? ORDER BY t.last_run DESC ${LIMIT}`),
    ownThreads: db.prepare(
      `${THREAD} WHERE t.principal = ? AND t.last_run > 0 AND t.last_run < ? ORDER BY t.last_run DESC ${LIMIT}`,
    ),
    principalOf: db.prepare(PRINCIPAL),
    thread: db.prepare(`${THREAD} WHERE t.id = ?`),
    messages: db.prepare(
      `SELECT ${TURN} FROM messages m JOIN runs r ON r.n = m.run_n WHERE m.thread_id = :thread ` +
        "AND (m.run_n, m.idx) < (:run, :index) ORDER BY m.run_n DESC, m.idx DESC LIMIT (0 + :limit)",
    ),
    // The first message of the run before, if that run failed: a person may have sent the message again.
    failedBefore: db.prepare(
      "SELECT r.status, r.finish_reason, r.error ->> 'code' AS error_code, r.fence, m.role, m.content, " +
        "EXISTS (SELECT 1 FROM runs a WHERE a.retry_of = r.id) AS retried, r.superseded FROM runs r " +
        `JOIN messages m ON m.run_n = r.n AND m.idx = ${questionIdx("r.n")} ` +
        "WHERE r.status = 'failed' AND r.n = " +
        "(SELECT n FROM runs WHERE thread_id = ? AND n < ? ORDER BY n DESC LIMIT 1)",
    ),
    history: db.prepare(
      `SELECT ${TURN} FROM runs last JOIN messages m ON m.thread_id = last.thread_id AND m.run_n <= last.n ` +
        "JOIN runs r ON r.n = m.run_n WHERE last.id = ? ORDER BY m.run_n, m.idx",
    ),
  } satisfies Record<string, StatementSync>;
}
