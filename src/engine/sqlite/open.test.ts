import { randomBytes } from "node:crypto";
import { chmodSync, statSync } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { complete, enqueue, newRun, start, stepOf } from "../contract/setup.ts";
import type { ToolCall } from "../engine.ts";
import { openEngine } from "../open.ts";
import { goBackTo, setSchema } from "./earlier-schemas.ts";
import { lockFolder } from "./lock.ts";
import { makeFolder, openAt, openTemporary } from "./test-data.ts";

const PAGE_BYTES = 4096;

test("what was stored is there after every handle was closed and the folder opened again", async () => {
  await using folder = await makeFolder();
  await using first = await openAt(folder.path);
  const run = await enqueue(first, { threadId: "thread" });
  await first.close();

  await using second = await openAt(folder.path);

  expect(await second.run(run.run_id)).toEqual(run);
});

test("closing commits what still waits, and closing twice is closing once", async () => {
  await using folder = await makeFolder();
  await using first = await openAt(folder.path);
  const writes = [first.enqueue(newRun({ runId: "a" })), first.enqueue(newRun({ runId: "b" }))];

  await first.close();
  await first.close();

  await Promise.all(writes);
  await using second = await openAt(folder.path);
  expect((await second.runs({ limit: 10 })).items.map(({ run_id }) => run_id)).toEqual(["b", "a"]);
});

test("a folder that does not exist is made", async () => {
  await using folder = await makeFolder();
  const nested = join(folder.path, "new", "data");

  await using engine = await openAt(nested);

  expect(await readdir(nested)).toContain("evenkeel.db");
  expect(await engine.lastActivity()).toBe(0);
});

test("a folder that cannot be made is refused by its name", async () => {
  await using folder = await makeFolder();
  const file = join(folder.path, "file");
  await writeFile(file, "");

  await expect(openAt(join(file, "data"))).rejects.toMatchObject({
    code: "STORAGE_UNAVAILABLE",
    message: expect.stringContaining(join(file, "data")),
  });
});

test("data of the first layout is brought up to date, with titles and the order of its threads", async () => {
  await using folder = await makeFolder();
  await using written = await openAt(folder.path);
  await enqueue(written, { threadId: "a", message: "What is new?" });
  await enqueue(written, { threadId: "b", message: "Hello" });
  await enqueue(written, { threadId: "a", message: "And then?" });
  const [runs, threads] = [await written.runs({ limit: 10 }), await written.threads({ limit: 10 })];
  await written.close();
  goBackTo(folder.dbPath, 1);

  await using engine = await openAt(folder.path);

  expect(await engine.runs({ limit: 10 })).toEqual(runs);
  expect(await engine.threads({ limit: 10 })).toEqual(threads);
  expect(threads.items.map(({ title }) => title)).toEqual(["What is new?", "Hello"]);
});

test("data from before delegated runs is migrated: its runs have no parent, and may delegate", async () => {
  await using folder = await makeFolder();
  await using written = await openAt(folder.path);
  const { run } = await start(written, { threadId: "a" });
  await enqueue(written, { threadId: "b" });
  const threads = await written.threads({ limit: 10 });
  await written.close();
  goBackTo(folder.dbPath, 2);

  await using engine = await openAt(folder.path);

  const { items } = await engine.runs({ limit: 10 });
  expect(items.map(({ parent_run_id }) => parent_run_id)).toEqual([null, null]);
  expect(await engine.run(run.run_id)).toEqual(run);
  const child = await enqueue(engine, { parentRunId: run.run_id });
  expect(await engine.runs({ limit: 10, parentRunId: run.run_id })).toEqual({ items: [child], next: null });
  expect(await engine.threads({ limit: 10 })).toEqual(threads);
});

test("tool calls of before they had a step belong to the newest answer, the one that may be gone on with", async () => {
  await using folder = await makeFolder();
  await using written = await openAt(folder.path);
  const claim = await start(written);
  const result = { content: "sent", isError: false };
  const call: ToolCall = { stepsBefore: 3, toolCallId: "call_1", name: "send_mail", effects: "unsafe", result };
  await written.append(stepOf(claim, { toolCalls: [call], steps: 3 }));
  await written.close();
  goBackTo(folder.dbPath, 3);

  await using engine = await openAt(folder.path);

  expect(await engine.toolCalls(claim.run.run_id)).toEqual([call]);
});

test("runs of before they said why they ended say it, as far as it is known", async () => {
  await using folder = await makeFolder();
  await using written = await openAt(folder.path);
  await complete(written, await start(written, { runId: "done" }));
  await written.cancel((await enqueue(written, { runId: "canceled" })).run_id);
  for (const code of ["STEP_LIMIT", "RUN_TIMEOUT", "POISONED"] as const) {
    const claim = await start(written, { runId: code });
    await written.settle(stepOf(claim), { status: "failed", error: { code, detail: "" } });
  }
  await start(written, { runId: "running" });
  await written.close();
  goBackTo(folder.dbPath, 6);

  await using engine = await openAt(folder.path);

  const reasons = (await engine.runs({ limit: 10 })).items.map((run) => [run.run_id, run.finish_reason]);
  expect(reasons.toReversed()).toEqual([
    ["done", "stop"],
    ["canceled", "canceled"],
    ["STEP_LIMIT", "step_limit"],
    ["RUN_TIMEOUT", "time_limit"],
    ["POISONED", "error"],
    ["running", null],
  ]);
});

test("files of before they were listed are listed by their age, each principal's apart", async () => {
  await using folder = await makeFolder();
  await (await openAt(folder.path)).close();
  goBackTo(folder.dbPath, 21);
  using db = new DatabaseSync(folder.dbPath);
  const insert = db.prepare("INSERT INTO files VALUES (?, ?, 'a.txt', 'text/plain', 7, ?, ?)");
  for (const [id, principal, at] of [
    ["a", "ana", 3],
    ["b", "bob", 2],
    ["c", "ana", 1],
  ] as const)
    insert.run(id, principal, id, at);

  await using engine = await openAt(folder.path);

  const { items, bytes } = await engine.files.list({ principal: "ana", limit: 10 });
  expect({ ids: items.map((file) => file.file_id), bytes }).toEqual({ ids: ["a", "c"], bytes: 14 });
});

test("the folder and its files are their user's alone, also those that an older evenkeel left open", async () => {
  await using folder = await makeFolder();
  const dataDir = join(folder.path, "data");
  await using first = await openAt(dataDir);
  await enqueue(first);
  const modes = () => [dataDir, ...FILES.map((file) => join(dataDir, file))].map((path) => statSync(path).mode & 0o777);
  expect(modes()).toEqual([0o700, 0o600, 0o600, 0o600]);
  for (const file of FILES) chmodSync(join(dataDir, file), 0o644);

  await using _second = await openAt(dataDir);

  expect(modes()).toEqual([0o700, 0o600, 0o600, 0o600]);
});

const FILES = ["evenkeel.db", "evenkeel.db-wal", "evenkeel.db-shm"];

test("only the file that was opened first is opened again, when that is asked for", async () => {
  await using data = await openTemporary();
  const { identity } = data.engine;
  const options = { dataDir: data.folder.path, durability: "normal", limits: { queued: 10 }, identity } as const;
  await (await openEngine(options)).close();
  await rename(data.folder.dbPath, `${data.folder.dbPath}.old`);

  await expect(openEngine(options)).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
  expect(await readdir(data.folder.path)).not.toContain("evenkeel.db");
  await expect(data.engine.check()).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
});

test.each(["-wal", "-shm"])(
  "a server whose %s file was removed writes no more, and no later process begins another one",
  async (suffix) => {
    await using data = await openTemporary();
    const { identity } = data.engine;
    await rm(`${data.folder.dbPath}${suffix}`);
    const options = { dataDir: data.folder.path, durability: "normal", limits: { queued: 10 }, identity } as const;

    await expect(enqueue(data.engine)).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
    await expect(data.engine.check()).rejects.toMatchObject({ message: expect.stringContaining("was deleted") });
    await expect(openEngine(options)).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
    expect(await readdir(data.folder.path)).not.toContain(`evenkeel.db${suffix}`);
  },
);

test("a file that is corrupt in parts is not ready once a write has met one of these", async () => {
  await using folder = await makeFolder();
  await using first = await openAt(folder.path);
  for (let run = 0; run < 50; run += 1) await enqueue(first);
  await first.close();
  await using engine = await openAt(folder.path);
  await engine.check();
  const { size } = statSync(folder.dbPath);
  const file = await open(folder.dbPath, "r+");
  // The first page has the header and the schema.
  await file.write(randomBytes(size - PAGE_BYTES), 0, size - PAGE_BYTES, PAGE_BYTES);
  await file.close();

  await expect(enqueue(engine)).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
  await expect(engine.check()).rejects.toMatchObject({ message: expect.stringContaining("corrupt") });
});

test("data of a newer evenkeel is refused, and says which schema it has", async () => {
  await using folder = await makeFolder();
  await makeDatabase(folder.path);
  setSchema(folder.dbPath, 99);

  await expect(openAt(folder.path)).rejects.toMatchObject({
    code: "STORAGE_UNAVAILABLE",
    message: expect.stringMatching(/newer evenkeel \(schema 99, .*DATA_DIR/),
  });
  expect(schemaOf(folder.dbPath)).toBe(99);
});

test("tables of another program are left alone, and named as such", async () => {
  await using folder = await makeFolder();
  using db = new DatabaseSync(folder.dbPath);
  db.exec("CREATE TABLE runs (x); INSERT INTO runs VALUES (1)");

  await expect(openAt(folder.path)).rejects.toMatchObject({
    code: "STORAGE_UNAVAILABLE",
    message: expect.stringContaining("tables of another program"),
  });
  expect(db.prepare("SELECT name FROM sqlite_master").all()).toMatchObject([{ name: "runs" }]);
});

test("a start that finds a folder in the place of the database says that the database cannot be opened", async () => {
  await using folder = await makeFolder();
  await mkdir(folder.dbPath);
  const lock = lockFolder(folder.path);
  expect(lock).toBeDefined();
  lock?.release();

  await expect(openAt(folder.path)).rejects.toMatchObject({
    code: "STORAGE_UNAVAILABLE",
    message: expect.stringContaining("cannot be opened"),
  });
});

const FOREIGN: [string, Buffer][] = [
  ["text", Buffer.from("remember the milk\n")],
  ["random bytes", randomBytes(3 * PAGE_BYTES)],
  ["a SQLite file with a broken header", Buffer.concat([Buffer.from("SQLite format 3\0"), randomBytes(PAGE_BYTES)])],
];
test.each(FOREIGN)("a file that is no database (%s) is refused and left as it is", async (_name, content) => {
  await using folder = await makeFolder();
  await writeFile(folder.dbPath, content);

  await expect(openAt(folder.path)).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });

  expect((await readFile(folder.dbPath)).equals(content)).toBe(true);
  expect(await readdir(folder.path)).toEqual(["evenkeel.db"]);
});

test("a database whose pages are corrupt is refused with STORAGE_UNAVAILABLE and left as it is", async () => {
  await using folder = await makeFolder();
  await makeDatabase(folder.path);
  const corrupt = await readFile(folder.dbPath);
  corrupt.fill(0xaa, PAGE_BYTES);
  await writeFile(folder.dbPath, corrupt);

  await expect(makeDatabase(folder.path)).rejects.toMatchObject({
    code: "STORAGE_UNAVAILABLE",
    message: expect.stringContaining("corrupt"),
  });

  expect((await readFile(folder.dbPath)).equals(corrupt)).toBe(true);
});

test("a handle opens while another process is in the middle of a write", async () => {
  await using data = await openTemporary();
  using rival = new DatabaseSync(data.folder.dbPath, { timeout: 0 });
  rival.exec("BEGIN IMMEDIATE");

  const other = await data.another();

  expect(await other.counts()).toEqual({ queued: 0, running: 0 });
  rival.exec("ROLLBACK");
});

test("a new file that another process is setting up is refused with STORAGE_UNAVAILABLE, not half made", async () => {
  await using folder = await makeFolder();
  using rival = new DatabaseSync(folder.dbPath, { timeout: 0 });
  rival.exec("PRAGMA journal_mode = WAL; BEGIN IMMEDIATE");

  await expect(openAt(folder.path)).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });

  rival.exec("ROLLBACK");
  await expect(makeDatabase(folder.path)).resolves.toBeUndefined();
});

/** Opens the folder and writes to it: a fault of a file may show in either. */
async function makeDatabase(dataDir: string): Promise<void> {
  await using engine = await openAt(dataDir);
  await enqueue(engine);
}

function schemaOf(path: string): unknown {
  using db = new DatabaseSync(path);
  return db.prepare("PRAGMA user_version").get()?.["user_version"];
}
