import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { complete, delta, start, stepOf } from "../contract/setup.ts";
import { openTemporary } from "./test-data.ts";

test("a deleted thread leaves no row behind, in any table", async () => {
  await using data = await openTemporary();
  const before = rowsOf(data.folder.dbPath);
  const claim = await start(data.engine, { threadId: "thread" });
  const call = { stepsBefore: 1, toolCallId: "call_1", name: "clock", effects: "pure", result: null } as const;
  await data.engine.append(stepOf(claim, { events: [delta("secret")], toolCalls: [call] }));
  await complete(data.engine, claim);
  // Shared texts and files are nobody's thread.
  const { removals, shared: _shared, files: _files, ...filled } = rowsOf(data.folder.dbPath);
  expect(Object.values(filled)).not.toContain(0);
  expect(removals).toBe(0);

  await data.engine.deleteThread("thread");

  // One activity tells that it was deleted, and one row tells those who follow its run.
  expect(rowsOf(data.folder.dbPath)).toEqual({ ...before, activities: 1, removals: 1 });
});

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
