/** Retention of files on a database that an earlier version wrote, or still writes to while machines are upgraded. */
import { expect, test } from "vitest";
import { testEarlierUses } from "../contract/file-retention.contract.ts";
import { complete, enqueue, save, start } from "../contract/setup.ts";
import { DAY_MS, later } from "../contract/time.ts";
import type { Engine } from "../engine.ts";
import { databases, openAt } from "./test-data.ts";

const { postgres } = databases();

/** Takes the database back to schema 8. */
const UNDO =
  "DROP TRIGGER file_uses_of_message ON messages; DROP TRIGGER file_uses_of_call ON tool_calls; " +
  "DROP FUNCTION insert_file_uses; DROP TABLE file_uses; DROP TABLE file_uses_known; " +
  "ALTER TABLE files DROP COLUMN idle_since; UPDATE evenkeel_schema SET version = 8";

testEarlierUses(async (fill) => {
  const server = await postgres();
  const name = await server.createDatabase();
  const before = await openAt(server.url(name));
  await fill(before);
  await before[Symbol.asyncDispose]();
  await server.admin(UNDO, name);
  await using opening = new AsyncDisposableStack();
  const engine = opening.use(await openAt(server.url(name)));
  const owned = opening.move();
  return {
    engine,
    another: async () => owned.use(await openAt(server.url(name))),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
});

test("what a program of an older version stores beside this one is treated alike", async () => {
  await using data = await openedBeside();
  const { engine, sql } = data;
  for (const id of ["used", "unused"])
    await sql(
      "INSERT INTO files (id, principal, name, media_type, bytes, sha256, created_at) " +
        `VALUES ('file_${id}', 'ana', 'a.txt', 'text/plain', 1, '${id}', 1)`,
    );
  const claim = await start(engine);
  const content = JSON.stringify([{ type: "document", source: { type: "file", file_id: "file_used" } }]);
  await sql(
    "INSERT INTO messages (run_n, idx, thread_id, role, content, at) " +
      `SELECT n, 9, thread_id, 'user', '${content}', 1 FROM runs WHERE id = '${claim.run.run_id}'`,
  );
  await complete(engine, claim);
  await later(engine, { filesMs: DAY_MS });

  expect(await filesOf(engine)).toEqual(["file_used"]);
});

test("the use of a run that a program of an older version removed keeps no file", async () => {
  await using data = await openedBeside();
  const { engine, sql } = data;
  const file = await save(engine, "notes");
  const content = [{ type: "document", source: { type: "file", file_id: file.file_id } }] as const;
  const { run_id: runId } = await enqueue(engine, { content });
  await sql(`DELETE FROM runs WHERE id = '${runId}'`);
  await later(engine, { filesMs: DAY_MS });

  expect(await filesOf(engine)).toEqual([]);
});

/** An engine, and a connection past it. */
async function openedBeside() {
  const server = await postgres();
  const name = await server.createDatabase();
  const engine = await openAt(server.url(name));
  return {
    engine,
    sql: (text: string) => server.admin(text, name),
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}

async function filesOf({ files }: Engine): Promise<string[]> {
  const { items } = await files.list({ principal: "ana", limit: 10 });
  return items.map((file) => file.file_id);
}
