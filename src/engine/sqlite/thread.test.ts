import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { complete, delta, save, start, stepOf } from "../contract/setup.ts";
import { openTemporary } from "./test-data.ts";

test("a deleted thread leaves no row behind, in any table", async () => {
  await using data = await openTemporary();
  const { file_id } = await save(data.engine, "notes");
  const before = rowsOf(data.folder.dbPath);
  const content = [{ type: "document", source: { type: "file", file_id } }] as const;
  const claim = await start(data.engine, { threadId: "thread", content });
  const call = { stepsBefore: 1, toolCallId: "call_1", name: "clock", effects: "pure", result: null } as const;
  await data.engine.append(stepOf(claim, { events: [delta("secret")], toolCalls: [call] }));
  await complete(data.engine, claim);
  // Shared texts belong to no thread.
  const { removals, shared: _shared, spending: _spending, ...filled } = rowsOf(data.folder.dbPath);
  expect(Object.values(filled)).not.toContain(0);
  expect(removals).toBe(0);

  await data.engine.deleteThread("thread");

  await data.engine.maintain();
  // One activity says that the thread was deleted, and one row tells the followers of its run.
  expect(rowsOf(data.folder.dbPath)).toEqual({ ...before, activities: 1, removals: 1 });
});

/** For SQL: the numbers from 1 to `count`. */
function numbers(count: number): string {
  return `WITH RECURSIVE numbers (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < ${count})`;
}

/** How many rows each table has. */
function rowsOf(path: string): Record<string, unknown> {
  using db = new DatabaseSync(path);
  const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").all();
  const counted = tables.map(({ name }) => {
    const count = db.prepare(`SELECT count(*) AS rows FROM ${String(name)}`).get();
    return [name, count?.["rows"]];
  });
  return Object.fromEntries(counted) as Record<string, unknown>;
}

test("a large thread is gone on return, and its rows go in batches that hold up no other write", async () => {
  await using data = await openTemporary();
  const other = await start(data.engine);
  const claim = await start(data.engine, { threadId: "thread" });
  await complete(data.engine, claim);
  using db = new DatabaseSync(data.folder.dbPath);
  db.exec(`INSERT INTO events (run_n, seq, type, data) ${numbers(50_000)}
    SELECT (SELECT n FROM runs WHERE thread_id = 'thread'), 100 + i, 'TEXT_MESSAGE_CONTENT', '{}' FROM numbers`);
  db.exec(`INSERT INTO runs (id, thread_id, agent_id, status, head, created_at, metadata, principal, fingerprint)
    ${numbers(1_000)} SELECT 'run_' || i, 'thread', 'assistant', 'completed', 0, i, '{}', 'ana', '' FROM numbers`);

  const deleting = data.engine.deleteThread("thread").then(() => data.engine.maintain());
  let longestMs = 0;
  const done = new AbortController();
  void deleting.finally(() => done.abort());
  while (!done.signal.aborted) {
    const startedAt = performance.now();
    await data.engine.append(stepOf(other, { events: [delta("a")] }));
    longestMs = Math.max(longestMs, performance.now() - startedAt);
  }

  expect(await data.engine.thread("thread")).toBeUndefined();
  expect(await data.engine.runs({ limit: 10, threadId: "thread" })).toEqual({ items: [], next: null });
  expect(db.prepare("SELECT count(*) AS rows FROM events WHERE seq > 100 AND data = '{}'").get()).toEqual({ rows: 0 });
  // Far below the time of one transaction over all of it; the machine may be busy.
  expect(longestMs).toBeLessThan(250);
});
