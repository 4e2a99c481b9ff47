/** Everything that only reads. Called by `engine.ts`. */
import type { ThreadSummary } from "../../api/threads.ts";
import type { Activity } from "../../core/activity.ts";
import type { JournalEvent } from "../../core/event.ts";
import type { NewRun, Run } from "../../core/run.ts";
import type {
  ActivityCounts,
  ActivityFilter,
  AttributedActivity,
  EventPage,
  MessagePage,
  ListPage,
  RunFilter,
  RunOrThread,
  ThreadFilter,
  ToolCall,
  Turn,
} from "../engine.ts";
import { eventBehind, type StoredRow } from "../rules/joined.ts";
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
import { toActivity, toAttributed, toListed, toRun, type ActivityRow, type RunRow } from "../rules/rows.ts";
import { toStoredJson, toToolCall, toTurns, type QuestionRow, type ToolCallRow, type TurnRow } from "../rules/turns.ts";
import { questionIdx } from "../rules/unsent.ts";
import { LEASE_CLOCK } from "./clock.ts";
import type { Queryable } from "./database.ts";
import { ACTIVITY_LIST, readPage, RUN_LIST } from "./lists.ts";
import { errorCode, RUN, TURN } from "./sql.ts";

const RUN_BY_ID = `SELECT ${RUN} FROM runs WHERE id = $1`;
/** The page ends with the row that reaches this many bytes; a text has no fewer bytes than characters. */
const EVENTS =
  "SELECT seq, type, data, joined FROM (SELECT *, sum(octet_length(data)) OVER (ORDER BY seq) - octet_length(data) AS before FROM " +
  "(SELECT seq, type, data, joined FROM events WHERE run_n = (SELECT n FROM runs WHERE id = $1) AND seq > $2 ORDER BY seq LIMIT $3::integer) page) rows " +
  "WHERE before < $4::bigint ORDER BY seq";
const THREADS = `${THREAD} WHERE t.last_run > 0 AND t.last_run < $1 ORDER BY t.last_run DESC LIMIT $2::integer`;
const OWN_THREADS = `${THREAD} WHERE t.principal = $3 AND t.last_run > 0 AND t.last_run < $1 ORDER BY t.last_run DESC LIMIT $2::integer`;
/** `found` counts the rows up to the limit; `before` sums the bytes of the rows that come before in the page. */
const MESSAGES =
  "SELECT * FROM (SELECT *, count(*) OVER () AS found, " +
  "sum(octet_length(content)) OVER (ORDER BY run_n DESC, idx DESC) - octet_length(content) AS before FROM " +
  `(SELECT ${TURN} FROM messages m JOIN runs r ON r.n = m.run_n WHERE m.thread_id = $1 ` +
  "AND (m.run_n, m.idx) < ($2::bigint, $3::integer) ORDER BY m.run_n DESC, m.idx DESC LIMIT $4::integer) page) rows " +
  "WHERE before < $5::bigint ORDER BY run_n DESC, idx DESC";
/** The first message of the run before each of these, if that run failed: a person may have sent the message again. */
const FAILED_BEFORE =
  `SELECT behind.n AS behind, b.status, b.finish_reason, ${errorCode("b")}, b.fence, m.role, m.content, ` +
  "(EXISTS (SELECT 1 FROM runs a WHERE a.retry_of = b.id))::integer AS retried, b.superseded FROM unnest($2::bigint[]) AS behind (n) " +
  "CROSS JOIN LATERAL (SELECT * FROM runs WHERE thread_id = $1 AND n < behind.n ORDER BY n DESC LIMIT 1) b " +
  `JOIN messages m ON m.run_n = b.n AND m.idx = ${questionIdx("b.n")} WHERE b.status = 'failed'`;
const HISTORY =
  `SELECT ${TURN} FROM runs last JOIN messages m ON m.thread_id = last.thread_id AND m.run_n <= last.n ` +
  "JOIN runs r ON r.n = m.run_n WHERE last.id = $1 ORDER BY m.run_n, m.idx";
const THREAD_TOOL_CALLS =
  "SELECT c.run_n, c.step, c.id, c.name, c.effects, c.result FROM runs last " +
  "JOIN runs r ON r.thread_id = last.thread_id AND r.n < last.n AND r.status IN ('failed', 'canceled') " +
  "JOIN tool_calls c ON c.run_n = r.n WHERE last.id = $1 ORDER BY c.run_n, c.step, c.id";
const TOOL_CALLS =
  "SELECT run_n, step, id, name, effects, result FROM tool_calls WHERE run_n = (SELECT n FROM runs WHERE id = $1) ORDER BY step, id";
const CLAIMABLE =
  "SELECT EXISTS (SELECT 1 FROM runs WHERE status = 'queued' AND head = 1 AND parent_id IS NULL) OR " +
  "EXISTS (SELECT 1 FROM runs WHERE status = 'queued' AND head = 1 AND parent_id IS NOT NULL) AS queued, " +
  `EXISTS (SELECT 1 FROM runs WHERE status = 'running' AND lease_until < ${LEASE_CLOCK}) AS expired`;

/** Larger than the bytes of any page. */
const ANY_BYTES = Number.MAX_SAFE_INTEGER;

export class Reads {
  readonly #db: Queryable;

  constructor(db: Queryable) {
    this.#db = db;
  }

  async run(runId: string): Promise<Run | undefined> {
    const [row] = await this.#db.query<RunRow>(RUN_BY_ID, [runId]);
    return row && toRun(row);
  }

  async runs(filter: RunFilter): Promise<ListPage<Run>> {
    const { limit, before } = filter;
    const equal = equalOfRuns(filter);
    const { rows, next } = await readPage(this.#db, RUN_LIST, { limit, filter: { before, equal } });
    return { items: (rows as unknown as RunRow[]).map(toListed), next };
  }

  async activities(filter: ActivityFilter): Promise<ListPage<Activity>> {
    const { limit, before, after } = filter;
    const equal = equalOfActivities(filter);
    const { rows, next } = await readPage(this.#db, ACTIVITY_LIST, { limit, filter: { before, after, equal } });
    return { items: (rows as unknown as ActivityRow[]).map(toActivity), next };
  }

  async activitiesAfter(after: number, limit: number, principal?: string): Promise<AttributedActivity[]> {
    const whose = principal === undefined ? "" : "AND principal = $3";
    const rows = await this.#db.query<ActivityRow>(
      `SELECT * FROM activities WHERE seq > $1 ${whose} ORDER BY seq LIMIT $2::integer`,
      [after, limit, ...(principal === undefined ? [] : [principal])],
    );
    return rows.map(toAttributed);
  }

  async threads({
    limit,
    before = Number.MAX_SAFE_INTEGER,
    principal,
  }: ThreadFilter): Promise<ListPage<ThreadSummary>> {
    const rows = await (principal === undefined
      ? this.#db.query<ThreadRow>(THREADS, [before, limit])
      : this.#db.query<ThreadRow>(OWN_THREADS, [before, limit, principal]));
    return toThreadPage(rows, limit);
  }

  async principalOf({ runId, threadId }: RunOrThread): Promise<string | undefined> {
    const [row] = await this.#db.query<{ principal: string }>(
      "SELECT principal FROM runs WHERE id = $1 UNION ALL SELECT principal FROM threads WHERE id = $2",
      [runId ?? null, threadId ?? null],
    );
    return row?.principal;
  }

  async thread(threadId: string): Promise<ThreadSummary | undefined> {
    const [row] = await this.#db.query<ThreadRow>(`${THREAD} WHERE t.id = $1`, [threadId]);
    return row && toSummary(row);
  }

  async messages(threadId: string, page: MessagePage): Promise<ListPage<string>> {
    const { before = Number.MAX_SAFE_INTEGER, limit, characters = ANY_BYTES } = page;
    const { run, index } = placeOf(before);
    const rows = await this.#db.query<TurnRow & { found: number }>(MESSAGES, [
      threadId,
      run,
      index,
      limit + 1,
      characters,
    ]);
    const questions = await this.#failedBefore(threadId, rows);
    const newestFirst: string[] = [];
    let read = 0;
    for (const row of rows.slice(0, limit)) {
      if (read >= characters) break;
      const json = toStoredJson(row, () => questions.get(row.run_n));
      newestFirst.push(json);
      read += json.length;
    }
    const last = rows[newestFirst.length - 1];
    const hasMore = last !== undefined && last.found > newestFirst.length;
    return { items: newestFirst.toReversed(), next: hasMore ? positionOf(last) : null };
  }

  async #failedBefore(threadId: string, rows: readonly TurnRow[]): Promise<ReadonlyMap<number, QuestionRow>> {
    const asked = rows.filter(({ idx }) => idx === 0).map(({ run_n: n }) => n);
    if (asked.length === 0) return new Map();
    const found = await this.#db.query<QuestionRow & { behind: number }>(FAILED_BEFORE, [threadId, asked]);
    return new Map(found.map((row) => [row.behind, row]));
  }

  async events(runId: string, after: number, { limit, characters = ANY_BYTES }: EventPage): Promise<JournalEvent[]> {
    const rows = await this.#db.query<StoredRow>(EVENTS, [runId, after, limit, characters]);
    return rows.map((row) => eventBehind(after, row));
  }

  async lastEvent(runId: string): Promise<number> {
    const [row] = await this.#db.query<{ last_seq: number }>("SELECT last_seq FROM runs WHERE id = $1", [runId]);
    return row?.last_seq ?? 0;
  }

  async history(runId: string): Promise<Turn[]> {
    const [rows, ledger] = await Promise.all([
      this.#db.query<TurnRow>(HISTORY, [runId]),
      this.#db.query<ToolCallRow>(THREAD_TOOL_CALLS, [runId]),
    ]);
    return toTurns(rows, ledger);
  }

  async toolCalls(runId: string): Promise<ToolCall[]> {
    const rows = await this.#db.query<ToolCallRow>(TOOL_CALLS, [runId]);
    return rows.map(toToolCall);
  }

  /** What a claim would find. A look costs no transaction. */
  async claimable(): Promise<{ readonly queued: boolean; readonly expired: boolean }> {
    const [row] = await this.#db.query<{ queued: boolean; expired: boolean }>(CLAIMABLE);
    return row ?? { queued: false, expired: false };
  }

  async lastActivity(): Promise<number> {
    const [row] = await this.#db.query<{ seq: number | null }>("SELECT max(seq) AS seq FROM activities");
    return row?.seq ?? 0;
  }

  async countActivities(after: number): Promise<ActivityCounts> {
    const rows = await this.#db.query<CountRow>(
      "SELECT type, count(*) AS many, max(seq) AS last FROM activities WHERE seq > $1 GROUP BY type",
      [after],
    );
    return toCounts(after, rows);
  }

  async ownQueued(principal: string): Promise<number> {
    const [row] = await this.#db.query<{ queued: number }>(
      "SELECT count(*) AS queued FROM runs WHERE status = 'queued' AND principal = $1",
      [principal],
    );
    return row?.queued ?? 0;
  }

  async isRepeat({ runId, principal, idempotencyKey }: NewRun): Promise<boolean> {
    const rows = await this.#db.query(
      "SELECT 1 FROM runs WHERE id = $1 OR (principal = $2 AND idempotency_key = $3) LIMIT 1",
      [runId, principal, idempotencyKey],
    );
    return rows.length > 0;
  }

  async counts(): Promise<Record<"queued" | "running", number>> {
    const [row] = await this.#db.query<{ queued: number; running: number }>(
      "SELECT (SELECT count(*) FROM runs WHERE status = 'queued') AS queued, " +
        "(SELECT count(*) FROM runs WHERE status = 'running') AS running",
    );
    return { queued: row?.queued ?? 0, running: row?.running ?? 0 };
  }
}
