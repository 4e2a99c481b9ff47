/** Retention of files on a database file that an earlier version wrote, and what it leaves in the folder of files. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { testEarlierUses } from "../contract/file-retention.contract.ts";
import { complete, enqueue, save, start } from "../contract/setup.ts";
import { DAY_MS, later, settled } from "../contract/time.ts";
import type { Engine } from "../engine.ts";
import { LEARNED_A_STEP } from "../rules/file-uses.ts";
import { connect } from "./connection.ts";
import { forgetFileUses, goBackTo } from "./earlier-schemas.ts";
import { FileRetainer } from "./file-retention.ts";
import { makeFolder, openAt, openTemporary } from "./test-data.ts";
import { Writer } from "./writer.ts";

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

test("a run that is removed while its uses are learned keeps no file", async () => {
  await using data = await openLearning(async (engine) => {
    const { file_id } = await save(engine, "notes");
    await enqueue(engine, { content: [{ type: "document", source: { type: "file", file_id } }] });
  });

  data.rival.exec("BEGIN IMMEDIATE");
  // The retainer has read what the run uses, and waits for the lock.
  const learned = data.retainer.step(0);
  data.rival.exec("DELETE FROM runs; COMMIT");

  expect(await learned).toBe(true);
  expect(data.rival.prepare("SELECT count(*) AS uses FROM file_uses").get()).toMatchObject({ uses: 0 });
});

test("one step learns what some runs use, the newest first, and the next one goes on before them", async () => {
  await using data = await openLearning((engine) =>
    Promise.all(Array.from({ length: LEARNED_A_STEP + 2 }, () => enqueue(engine))),
  );

  const steps: unknown[] = [];
  for (let step = 0; step < 3; step += 1) steps.push([await data.retainer.step(0), data.knownFrom()]);

  expect(steps).toEqual([
    [true, 3],
    [true, 0],
    [false, 0],
  ]);
});

test("what another process has learned meanwhile is not learned again", async () => {
  await using data = await openLearning((engine) =>
    Promise.all(Array.from({ length: LEARNED_A_STEP + 2 }, () => enqueue(engine))),
  );

  data.rival.exec("BEGIN IMMEDIATE");
  const learned = data.retainer.step(0);
  data.rival.exec("UPDATE file_uses_known SET from_run = 0; COMMIT");
  await learned;

  expect(data.knownFrom()).toBe(0);
});

/** A retainer that is about to learn what the stored runs use, and a connection of another process. */
async function openLearning(fill: (engine: Engine) => Promise<unknown>) {
  await using opening = new AsyncDisposableStack();
  const folder = opening.use(await makeFolder());
  {
    await using engine = await openAt(folder.path);
    await fill(engine);
  }
  forgetFileUses(folder.dbPath);
  const open = () => opening.use(connect({ path: folder.dbPath, durability: "normal" }));
  const [rival, writing, reading] = [open(), open(), open()];
  rival.exec("UPDATE file_uses_known SET from_run = (SELECT max(n) + 1 FROM runs)");
  const writer = new Writer(writing, { assertSame: () => {}, giveUpReserve: () => false });
  const files = { removeIdle: () => Promise.reject(new Error("No file is idle yet.")) };
  const retainer = new FileRetainer({ connections: { path: folder.dbPath, writing, reading }, writer, files });
  const knownFrom = () => rival.prepare("SELECT from_run FROM file_uses_known").get()?.["from_run"];
  const owned = opening.move();
  return { rival, retainer, knownFrom, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

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
