/** Export and import of threads: see `rules/dump.ts`. Called by `engine.ts`. */
import {
  RUN_COLUMNS,
  runValues,
  type DumpedRow,
  type DumpedRun,
  type DumpPosition,
  type ThreadDump,
} from "../rules/dump.ts";
import type { StoredRow } from "../rules/joined.ts";
import type { Database, Queryable } from "./database.ts";

const THREAD =
  "SELECT id, principal, created_at, updated_at, (last_run > 0)::integer AS listed FROM threads " +
  'WHERE (updated_at, id COLLATE "C") > ($1::bigint, $2) ORDER BY updated_at, id COLLATE "C" LIMIT 1';
const RUNS = `SELECT n, ${RUN_COLUMNS.join(", ")} FROM runs WHERE thread_id = $1 AND status NOT IN ('queued', 'running') ORDER BY n`;
const MESSAGES = "SELECT role, content, about, at FROM messages WHERE run_n = $1 ORDER BY idx";
const EVENTS = "SELECT seq, type, data, joined FROM events WHERE run_n = $1 ORDER BY seq";
const TOOL_CALLS =
  'SELECT step, id, name, effects, result FROM tool_calls WHERE run_n = $1 ORDER BY step, id COLLATE "C"';

const IS_KNOWN =
  "SELECT 1 AS yes FROM threads WHERE id = $1 UNION ALL SELECT 1 FROM runs WHERE id = ANY($2::text[]) LIMIT 1";
const INSERT_THREAD =
  "INSERT INTO threads (id, principal, created_at, updated_at, last_run) VALUES ($1, $2, $3, $4, $5)";
const LAST_SEQ = RUN_COLUMNS.length + 1;
const INSERT_RUN =
  `INSERT INTO runs (${RUN_COLUMNS.join(", ")}, head, created_clock, last_seq) ` +
  `VALUES (${RUN_COLUMNS.map((_, index) => `$${index + 1}`).join(", ")}, 0, 0, $${LAST_SEQ}) RETURNING n`;
const INSERT_MESSAGES =
  "INSERT INTO messages (run_n, thread_id, idx, role, content, about, at) " +
  "SELECT $1::bigint, $2::text, m.idx, m.role, m.content, m.about, m.at " +
  "FROM unnest($3::integer[], $4::text[], $5::text[], $6::text[], $7::bigint[]) AS m (idx, role, content, about, at)";
const INSERT_EVENTS =
  "INSERT INTO events (run_n, seq, type, data, joined) " +
  "SELECT $1::bigint, * FROM unnest($2::integer[], $3::text[], $4::text[], $5::text[])";
const INSERT_TOOL_CALLS =
  "INSERT INTO tool_calls (run_n, step, id, name, effects, result) " +
  "SELECT $1::bigint, * FROM unnest($2::integer[], $3::text[], $4::text[], $5::text[], $6::text[])";

type RunRow = DumpedRow & { readonly n: number };

export async function nextDump(
  database: Database,
  { updated_at: updatedAt, id }: DumpPosition,
): Promise<ThreadDump | undefined> {
  const [thread] = await database.query<ThreadDump["thread"]>(THREAD, [updatedAt, id]);
  if (!thread) return undefined;
  const runs: DumpedRun[] = [];
  for (const { n, ...run } of await database.query<RunRow>(RUNS, [thread.id])) {
    const messages = await database.query<DumpedRow>(MESSAGES, [n]);
    const events = await database.query<StoredRow>(EVENTS, [n]);
    runs.push({ run, messages, events, tool_calls: await database.query<DumpedRow>(TOOL_CALLS, [n]) });
  }
  return { thread, runs };
}

/** @returns false when the thread, or one of its runs, is there already */
export function storeDump(database: Database, { thread, runs }: ThreadDump): Promise<boolean> {
  return database.transaction(async (db) => {
    const known = await db.query(IS_KNOWN, [thread.id, runs.map(({ run }) => run["id"])]);
    if (known.length > 0) return { statements: [], result: () => false };
    let last = 0;
    for (const run of runs) last = await storeRun(db, thread.id, run);
    const lastRun = thread.listed === 1 ? last : 0;
    const values = [thread.id, thread.principal, thread.created_at, thread.updated_at, lastRun];
    return { statements: [{ text: INSERT_THREAD, values }], result: () => true };
  });
}

async function storeRun(
  db: Queryable,
  threadId: string,
  { run, messages, events, tool_calls: calls }: DumpedRun,
): Promise<number> {
  const inserted = await db.query<{ n: number }>(INSERT_RUN, [...runValues(run, RUN_COLUMNS), events.at(-1)?.seq ?? 0]);
  const n = inserted[0]?.n ?? 0;
  const places = messages.map((_, idx) => idx);
  await db.query(INSERT_MESSAGES, [n, threadId, places, ...valuesOf(messages, ["role", "content", "about", "at"])]);
  await db.query(INSERT_EVENTS, [n, ...valuesOf(events, ["seq", "type", "data", "joined"])]);
  await db.query(INSERT_TOOL_CALLS, [n, ...valuesOf(calls, ["step", "id", "name", "effects", "result"])]);
  return n;
}

/** One array for each column of the rows, as `unnest` takes them. */
function valuesOf(rows: readonly object[], columns: readonly string[]): (string | number | null)[][] {
  return columns.map((column) => rows.map((row) => (row as DumpedRow)[column] ?? null));
}
