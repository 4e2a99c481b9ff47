/** Export and import of threads: see `rules/dump.ts`. Called by `engine.ts`, which begins the transaction of an import. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import {
  RUN_COLUMNS,
  runValues,
  type DumpedRow,
  type DumpedRun,
  type DumpPosition,
  type ThreadDump,
} from "../rules/dump.ts";
import type { StoredRow } from "../rules/joined.ts";
import type { SqliteConnections } from "./engine.ts";
import { FileUses } from "./file-uses.ts";

type RunRow = DumpedRow & { readonly n: number };

export class Dumps {
  readonly #reading: ReturnType<typeof readStatements>;
  readonly #writing: ReturnType<typeof writeStatements>;
  readonly #uses: FileUses;

  constructor({ reading, writing }: SqliteConnections) {
    this.#reading = readStatements(reading);
    this.#writing = writeStatements(writing);
    this.#uses = new FileUses(writing);
  }

  next({ updated_at: updatedAt, id }: DumpPosition): ThreadDump | undefined {
    const found = this.#reading.thread.get(updatedAt, id) as ThreadDump["thread"] | undefined;
    if (!found) return undefined;
    const runs = this.#reading.runs.all(found.id) as unknown as RunRow[];
    return { thread: { ...found }, runs: runs.map((run) => this.#dumpRun(run)) };
  }

  /** @returns false when the thread, or one of its runs, is there already */
  store({ thread, runs }: ThreadDump): boolean {
    const sql = this.#writing;
    if (sql.isKnown.get(thread.id, JSON.stringify(runs.map(({ run }) => run["id"])))) return false;
    const numbers = runs.map((run) => this.#storeRun(thread.id, run));
    const lastRun = thread.listed === 1 ? (numbers.at(-1) ?? 0) : 0;
    sql.thread.run(thread.id, thread.principal, thread.created_at, thread.updated_at, lastRun);
    return true;
  }

  #dumpRun({ n, ...run }: RunRow): DumpedRun {
    const { messages, events, toolCalls } = this.#reading;
    return {
      run,
      messages: messages.all(n) as DumpedRow[],
      events: events.all(n) as unknown as StoredRow[],
      tool_calls: toolCalls.all(n) as DumpedRow[],
    };
  }

  #storeRun(threadId: string, { run, messages, events, tool_calls: calls }: DumpedRun): number {
    const sql = this.#writing;
    const { n } = sql.run.get(...runValues(run, RUN_COLUMNS)) as { n: number };
    for (const [idx, { role, content, about, at }] of messages.entries())
      sql.message.run(n, idx, threadId, role ?? null, content ?? null, about ?? null, at ?? null);
    for (const { seq, type, data, joined } of events) sql.event.run(n, seq, type, data, joined);
    for (const { step, id, name, effects, result } of calls)
      sql.toolCall.run(n, step ?? 0, id ?? null, name ?? null, effects ?? null, result ?? null);
    for (const stored of [...messages.map(({ content }) => content), ...calls.map(({ result }) => result)])
      if (typeof stored === "string") this.#uses.record(n, stored);
    return n;
  }
}

function readStatements(db: DatabaseSync) {
  return {
    thread: db.prepare(
      "SELECT id, principal, created_at, updated_at, last_run > 0 AS listed FROM threads " +
        "WHERE (updated_at, id) > (?, ?) ORDER BY updated_at, id LIMIT 1",
    ),
    runs: db.prepare(
      `SELECT n, ${RUN_COLUMNS.join(", ")} FROM runs WHERE thread_id = ? AND status NOT IN ('queued', 'running') ORDER BY n`,
    ),
    messages: db.prepare("SELECT role, content, about, at FROM messages WHERE run_n = ? ORDER BY idx"),
    events: db.prepare("SELECT seq, type, data, joined FROM events WHERE run_n = ? ORDER BY seq"),
    toolCalls: db.prepare("SELECT step, id, name, effects, result FROM tool_calls WHERE run_n = ? ORDER BY step, id"),
  } satisfies Record<string, StatementSync>;
}

function writeStatements(db: DatabaseSync) {
  return {
    isKnown: db.prepare(
      "SELECT 1 FROM threads WHERE id = ? UNION ALL SELECT 1 FROM runs WHERE id IN (SELECT value FROM json_each(?)) LIMIT 1",
    ),
    thread: db.prepare("INSERT INTO threads (id, principal, created_at, updated_at, last_run) VALUES (?, ?, ?, ?, ?)"),
    run: db.prepare(
      `INSERT INTO runs (${RUN_COLUMNS.join(", ")}, head) VALUES (${RUN_COLUMNS.map(() => "?").join(", ")}, 0) RETURNING n`,
    ),
    message: db.prepare(
      "INSERT INTO messages (run_n, idx, thread_id, role, content, about, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
    ),
    event: db.prepare("INSERT INTO events (run_n, seq, type, data, joined) VALUES (?, ?, ?, ?, ?)"),
    toolCall: db.prepare("INSERT INTO tool_calls (run_n, step, id, name, effects, result) VALUES (?, ?, ?, ?, ?, ?)"),
  } satisfies Record<string, StatementSync>;
}
