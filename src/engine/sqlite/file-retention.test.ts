/** Retention of files on a database file that an earlier version wrote, and what it leaves in the folder of files. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { testEarlierUses } from "../contract/file-retention.contract.ts";
import { complete, save, start } from "../contract/setup.ts";
import { DAY_MS, later, settled } from "../contract/time.ts";
import { forgetFileUses, goBackTo } from "./earlier-schemas.ts";
import { makeFolder, openAt, openTemporary } from "./test-data.ts";

testEarlierUses(async (fill) => {
  await using opening = new AsyncDisposableStack();
  const folder = opening.use(await makeFolder());
  const before = await openAt(folder.path);
  await fill(before);
  await before.close();
  goBackTo(folder.dbPath, 23);
  const engine = opening.use(await openAt(folder.path));
  const owned = opening.move();
  return {
    engine,
    another: async () => owned.use(await openAt(folder.path)),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
});

test("what an older version stored beside this one counts as what was stored before the migration", async () => {
  await using folder = await makeFolder();
  await (await openAt(folder.path)).close();
  goBackTo(folder.dbPath, 23);
  await using engine = await openAt(folder.path);
  const used = await save(engine, "used");
  await save(engine, "unused");
  const content = [{ type: "document", source: { type: "file", file_id: used.file_id } }] as const;
  await complete(engine, await start(engine, { threadId: "thread", content }));
  forgetFileUses(folder.dbPath);
  const left = async () => (await engine.files.list({ principal: "ana", limit: 200 })).items.length;

  await settled(engine, { filesMs: DAY_MS });
  expect(await left()).toBe(2);
  await later(engine, { filesMs: DAY_MS });
  expect(await left()).toBe(1);

  await engine.deleteThread("thread");
  await engine.maintain();
  await later(engine, { filesMs: DAY_MS });
  expect(await left()).toBe(0);
});

test("bytes that no file has any more leave the disk", async () => {
  await using data = await openTemporary();
  for (const principal of ["ana", "bob"]) await save(data.engine, "hello", { principal });
  await save(data.engine, "notes");
  const stored = async () => {
    const entries = await readdir(join(data.folder.path, "files"), { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).length;
  };
  expect(await stored()).toBe(2);

  await later(data.engine, { filesMs: DAY_MS });

  expect(await stored()).toBe(0);
});
