/** Everything that only reads, on a connection that never writes. Called by `engine.ts`. */
import type { Thread, ThreadSummary } from "../../api/threads.ts";
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import type { Activity, ActivityType } from "../../core/activity.ts";
import type { JournalEvent } from "../../core/event.ts";
import type { Run } from "../../core/run.ts";
import type {
  ActivityCounts,
  ActivityFilter,
  EventPage,
  AttributedActivity,
  RunOrThread,
  Page,
  RunFilter,
  ThreadFilter,
  ToolCall,
  Turn,
} from "../engine.ts";
import { LEASE_CLOCK } from "./clock.ts";
import { LIMIT, toActivity, toAttributed, toRun, type ActivityRow, type RunRow } from "./rows.ts";
import { toMessages, toToolCall, toTurns, TURN, type ToolCallRow, type TurnRow } from "./turns.ts";

export class Reads {
  readonly #db: DatabaseSync;
  readonly #sql: ReturnType<typeof statements>;
  // One statement per combination of filters: bounded by the filters there are, 2^6 for activities.
  readonly #prepared = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#sql = statements(db);
  }

  run(runId: string): Run | undefined {
    const row = this.#sql.run.get(runId) as RunRow | undefined;
    return row && toRun(row);
  }

  runs({ limit, before, status, agentId, threadId, parentRunId, topLevel, principal }: RunFilter): Page<Run> {
    const rows = this.#newest<RunRow>("runs", "n", {
      "n < ?": before,
      "principal = ?": principal,
      "status = ?": status,
      "agent_id = ?": agentId,
      "thread_id = ?": threadId,
      "parent_id = ?": parentRunId,
      "(parent_id IS NULL) = ?": topLevel === undefined ? undefined : Number(topLevel),
    })(limit);
    return page(rows.map(toRun), limit, rows.at(-1)?.n);
  }

  activities({ limit, before, after, agentId, threadId, runId, type, principal }: ActivityFilter): Page<Activity> {
    const rows = this.#newest<ActivityRow>("activities", "seq", {
      "seq < ?": before,
      "principal = ?": principal,
      "seq > ?": after,
      "agent_id = ?": agentId,
      "thread_id = ?": threadId,
      "run_id = ?": runId,
      "type = ?": type,
    })(limit);
    return page(rows.map(toActivity), limit, rows.at(-1)?.seq);
  }

  activitiesAfter(after: number, limit: number, principal?: string): AttributedActivity[] {
    const { activitiesAfter, ownActivitiesAfter } = this.#sql;
    const rows =
      principal === undefined ? activitiesAfter.all(after, limit) : ownActivitiesAfter.all(principal, after, limit);
    return (rows as unknown as ActivityRow[]).map(toAttributed);
  }

  threads({ limit, before = Number.MAX_SAFE_INTEGER, principal }: ThreadFilter): Page<ThreadSummary> {
    const { threads, ownThreads } = this.#sql;
    const found = principal === undefined ? threads.all(before, limit) : ownThreads.all(principal, before, limit);
    const rows = found as unknown as ThreadRow[];
    return page(rows.map(toSummary), limit, rows.at(-1)?.last_run);
  }

  principalOf({ runId, threadId }: RunOrThread): string | undefined {
    const row = runId === undefined ? this.#sql.threadOwner.get(threadId) : this.#sql.runOwner.get(runId);
    return row && String(row["principal"]);
  }

  thread(threadId: string): Thread | undefined {
    const row = this.#sql.thread.get(threadId) as ThreadRow | undefined;
    if (!row) return undefined;
    return { ...toSummary(row), messages: toMessages(this.#sql.messages.all(threadId) as unknown as TurnRow[]) };
  }

  events(runId: string, after: number, { limit, characters = Infinity }: EventPage): JournalEvent[] {
    const events: JournalEvent[] = [];
    let read = 0;
    // Row by row: what is behind the end of the page is not even read from the disk.
    for (const row of this.#sql.events.iterate(runId, after, limit)) {
      const event = row as unknown as JournalEvent;
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

  /** Whether a claim would find anything, so that looking costs no write transaction. */
  claimable(): boolean {
    return this.#sql.claimable.get() !== undefined;
  }

  lastActivity(): number {
    return (this.#sql.lastActivity.get() as { seq: number | null }).seq ?? 0;
  }

  countActivities(after: number): ActivityCounts {
    const rows = this.#sql.countActivities.all(after) as { type: ActivityType; many: number; last: number }[];
    return {
      last: Math.max(after, ...rows.map(({ last }) => last)),
      byType: Object.fromEntries(rows.map(({ type, many }) => [type, many])),
    };
  }

  counts(): Record<"queued" | "running", number> {
    const counts = { queued: 0, running: 0 };
    for (const row of this.#sql.counts.all() as { status: keyof typeof counts; runs: number }[])
      counts[row.status] = row.runs;
    return counts;
  }

  /** The newest rows of a table that meet every condition given. */
  #newest<Row>(table: string, key: string, conditions: Record<string, SQLInputValue | undefined>) {
    const given = Object.entries(conditions).filter(
      (entry): entry is [string, SQLInputValue] => entry[1] !== undefined,
    );
    const where = given.length > 0 ? `WHERE ${given.map(([condition]) => condition).join(" AND ")}` : "";
    const sql = `SELECT * FROM ${table} ${where} ORDER BY ${key} DESC ${LIMIT}`;
    let statement = this.#prepared.get(sql);
    if (!statement) this.#prepared.set(sql, (statement = this.#db.prepare(sql)));
    return (limit: number) => statement.all(...given.map(([, value]) => value), limit) as unknown as Row[];
  }
}

interface ThreadRow extends ThreadSummary {
  readonly last_run: number;
}

function toSummary({ thread_id, title, created_at, updated_at, runs }: ThreadRow): ThreadSummary {
  return { thread_id, title, created_at, updated_at, runs };
}

/** A full page may have a next one; a short page is the last. */
function page<T>(items: readonly T[], limit: number, lastKey: number | undefined): Page<T> {
  return { items, next: items.length === limit && lastKey !== undefined ? lastKey : null };
}

// Named after its first run, listed by its newest; a last_run of 0 is not listed.
const THREAD =
  "SELECT t.id AS thread_id, t.last_run, t.created_at, t.updated_at, " +
  "(SELECT r.title FROM runs r WHERE r.thread_id = t.id ORDER BY r.n LIMIT 1) AS title, " +
  "(SELECT count(*) FROM runs r WHERE r.thread_id = t.id) AS runs FROM threads t";

function statements(db: DatabaseSync) {
  return {
    run: db.prepare("SELECT * FROM runs WHERE id = ?"),
    events: db.prepare(
      `SELECT seq, type, data FROM events WHERE run_n = (SELECT n FROM runs WHERE id = ?) AND seq > ? ORDER BY seq ${LIMIT}`,
    ),
    lastEvent: db.prepare("SELECT max(seq) AS seq FROM events WHERE run_n = (SELECT n FROM runs WHERE id = ?)"),
    threads: db.prepare(`${THREAD} WHERE t.last_run > 0 AND t.last_run < ? ORDER BY t.last_run DESC ${LIMIT}`),
    ownThreads: db.prepare(
      `${THREAD} WHERE t.principal = ? AND t.last_run > 0 AND t.last_run < ? ORDER BY t.last_run DESC ${LIMIT}`,
    ),
    threadOwner: db.prepare("SELECT principal FROM threads WHERE id = ?"),
    runOwner: db.prepare("SELECT principal FROM runs WHERE id = ?"),
    thread: db.prepare(`${THREAD} WHERE t.id = ?`),
    messages: db.prepare(
      `SELECT ${TURN} FROM messages m JOIN runs r ON r.n = m.run_n WHERE m.thread_id = ? ORDER BY m.run_n, m.idx`,
    ),
    history: db.prepare(
      `SELECT ${TURN} FROM runs last JOIN messages m ON m.thread_id = last.thread_id AND m.run_n <= last.n ` +
        "JOIN runs r ON r.n = m.run_n WHERE last.id = ? ORDER BY m.run_n, m.idx",
    ),
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
    counts: db.prepare(
      "SELECT status, count(*) AS runs FROM runs WHERE status IN ('queued', 'running') GROUP BY status",
    ),
  } satisfies Record<string, StatementSync>;
}
