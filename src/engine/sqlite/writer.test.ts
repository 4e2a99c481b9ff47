import { DatabaseSync } from "node:sqlite";
import { setImmediate } from "node:timers/promises";
import { expect, onTestFinished, test, vi } from "vitest";
import { enqueue, LEASE_MS, newRun, start, stepOf, ownerOf } from "../contract/setup.ts";
import { makeFolder, openTemporary } from "./test-data.ts";
import { Writer } from "./writer.ts";

const HELD_MS = 50;
// Far longer than a busy machine delays a tick of the loop, far shorter than any wait inside of SQLite.
const STALL_MS = 500;

test("a write waits for another process's transaction without an error and without blocking the loop", async () => {
  await using data = await openTemporary();
  using rival = new DatabaseSync(data.folder.dbPath, { timeout: 0 });
  const claim = await start(data.engine);
  rival.exec("BEGIN IMMEDIATE");
  const settled: unknown[] = [];
  const note = (outcome: unknown) => void settled.push(outcome);
  const writes = [enqueue(data.engine), data.engine.append(stepOf(claim, { steps: 1 }))];
  for (const write of writes) void write.then(note, note);

  const longestTurnMs = await turnLoopFor(HELD_MS);

  expect(settled).toEqual([]);
  expect(longestTurnMs).toBeLessThan(STALL_MS);
  rival.exec("COMMIT");
  await Promise.all(writes);
  expect(await data.engine.counts()).toEqual({ queued: 1, running: 1 });
});

test("reads are answered while another process holds a write transaction", async () => {
  await using data = await openTemporary();
  const run = await enqueue(data.engine);
  using rival = new DatabaseSync(data.folder.dbPath, { timeout: 0 });
  rival.exec("BEGIN IMMEDIATE; UPDATE runs SET steps = 7");

  expect(await data.engine.run(run.run_id)).toEqual(run);
  expect((await data.engine.activities({ limit: 1 })).items).toHaveLength(1);

  rival.exec("ROLLBACK");
});

test("looking for work when there is none needs no lock", async () => {
  await using data = await openTemporary();
  await start(data.engine);
  using rival = new DatabaseSync(data.folder.dbPath, { timeout: 0 });
  rival.exec("BEGIN IMMEDIATE");

  expect(await data.engine.claim({ owner: ownerOf("owner 2"), limit: 1, leaseMs: LEASE_MS })).toEqual([]);

  rival.exec("ROLLBACK");
});

test("many writes at once are committed in few transactions", async () => {
  await using data = await openTemporary();
  using other = new DatabaseSync(data.folder.dbPath);
  // Changes with each commit of another connection.
  const version = other.prepare("PRAGMA data_version");
  const versions = new Set<unknown>();
  const requests = Array.from({ length: 200 }, () =>
    data.engine.enqueue(newRun()).then(() => versions.add(version.get()?.["data_version"])),
  );

  await Promise.all(requests);

  expect(versions.size).toBeLessThanOrEqual(5);
  expect(await data.engine.counts()).toMatchObject({ queued: 200 });
});

test("a write that breaks takes no other down, also when another process takes the lock at that moment", async () => {
  await using folder = await makeFolder();
  using db = new DatabaseSync(folder.dbPath, { timeout: 0 });
  db.exec("PRAGMA journal_mode = WAL; CREATE TABLE words (word TEXT)");
  using rival = new DatabaseSync(folder.dbPath, { timeout: 0 });
  const exec = db.exec.bind(db);
  db.exec = (sql) => {
    exec(sql);
    if (sql === "ROLLBACK" && !rival.isTransaction) rival.exec("BEGIN IMMEDIATE");
  };
  const insert = db.prepare("INSERT INTO words VALUES (?)");
  const writer = new Writer(db, { assertSame: () => {}, giveUpReserve: () => false });

  const writes = Promise.allSettled([
    writer.run(() => insert.run("before")),
    writer.run(() => {
      insert.run("broken");
      throw new TypeError("broken");
    }),
    writer.run(() => insert.run("after")),
  ]);
  await turnLoopFor(HELD_MS);
  expect(rival.isTransaction).toBe(true);
  rival.exec("COMMIT");

  expect((await writes).map((result) => ("reason" in result ? String(result.reason) : "written"))).toEqual([
    "written",
    "TypeError: broken",
    "written",
  ]);
  expect(db.prepare("SELECT word FROM words").all()).toMatchObject([{ word: "before" }, { word: "after" }]);
});

test("after a pause four commits follow each other at once, and then there is one every 4 ms", async () => {
  vi.useFakeTimers({ toFake: ["performance", "setTimeout", "clearTimeout", "setImmediate", "clearImmediate"] });
  onTestFinished(() => void vi.useRealTimers());
  using db = new DatabaseSync(":memory:");
  const writer = new Writer(db, { assertSame: () => {}, giveUpReserve: () => false });
  const timesAfter = async (pauseMs: number, commits: number) => {
    await vi.advanceTimersByTimeAsync(pauseMs);
    const begin = performance.now();
    const times: number[] = [];
    while (times.length < commits) {
      const written = writer.run(() => performance.now() - begin);
      await vi.advanceTimersToNextTimerAsync();
      times.push(await written);
    }
    return times;
  };

  expect(await timesAfter(60_000, 7)).toEqual([0, 0, 0, 0, 4, 8, 12]);
  // A short pause makes up for two commits, and a long one for no more than the first did.
  expect(await timesAfter(8, 4)).toEqual([0, 0, 4, 8]);
  expect(await timesAfter(3_600_000, 6)).toEqual([0, 0, 0, 0, 4, 8]);
});

/** A writer on a database that has room for a few words, and for no long one. */
function openSmall(giveUpReserve: (db: DatabaseSync) => boolean) {
  const db = new DatabaseSync(":memory:");
  db.exec("CREATE TABLE words (word TEXT); PRAGMA max_page_count = 3");
  const reserve = vi.fn<() => boolean>(() => giveUpReserve(db));
  const writer = () => new Writer(db, { assertSame: () => {}, giveUpReserve: reserve });
  const insert = db.prepare("INSERT INTO words VALUES (?)");
  const words = () => db.prepare("SELECT word FROM words").all();
  return { db, reserve, writer, insert, words, [Symbol.dispose]: () => db.close() };
}

const LONG = "x".repeat(100_000);

test("what finds no room on the disk is written, once, when the reserve was given up", async () => {
  using small = openSmall((db) => {
    db.exec("PRAGMA max_page_count = 1000");
    return true;
  });
  const writer = small.writer();

  await Promise.all(["before", LONG, "after"].map((word) => writer.run(() => small.insert.run(word))));

  expect(small.words()).toMatchObject([{ word: "before" }, { word: LONG }, { word: "after" }]);
  expect(small.reserve).toHaveBeenCalledTimes(1);
});

test("when there is no reserve left, only what finds no room is refused, as STORAGE_FULL", async () => {
  let isLeft = true;
  using small = openSmall(() => {
    const wasLeft = isLeft;
    isLeft = false;
    return wasLeft;
  });
  const writer = small.writer();

  const writes = await Promise.allSettled(
    ["before", LONG, "after"].map((word) => writer.run(() => small.insert.run(word))),
  );

  expect(writes).toMatchObject([
    { status: "fulfilled" },
    { status: "rejected", reason: { code: "STORAGE_FULL" } },
    { status: "fulfilled" },
  ]);
  expect(small.words()).toMatchObject([{ word: "before" }, { word: "after" }]);
  expect(small.reserve).toHaveBeenCalledTimes(2);
});

test.each(["BEGIN IMMEDIATE", "COMMIT"])(
  "a %s that finds no room is made when the reserve was given up",
  async (sql) => {
    let isFull = true;
    using small = openSmall(() => {
      isFull = false;
      return true;
    });
    const prepare = small.db.prepare.bind(small.db);
    small.db.prepare = (text) => {
      const statement = prepare(text);
      if (text !== sql) return statement;
      const run = statement.run.bind(statement);
      statement.run = () => {
        if (!isFull) return run();
        // There is no room for the file that readers and writers share.
        throw Object.assign(new Error("disk I/O error"), { code: "ERR_SQLITE_ERROR", errcode: 4_874 });
      };
      return statement;
    };
    const writer = small.writer();

    await writer.run(() => small.insert.run("word"));

    expect(small.words()).toMatchObject([{ word: "word" }]);
    expect(small.reserve).toHaveBeenCalledTimes(1);
  },
);

/** Keeps the event loop turning for this long. Returns how long the longest turn took. */
async function turnLoopFor(durationMs: number): Promise<number> {
  const startedAt = performance.now();
  let [longest, last] = [0, startedAt];
  while (last - startedAt < durationMs) {
    await setImmediate();
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  }
  return longest;
}
