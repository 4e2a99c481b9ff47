import { DatabaseSync } from "node:sqlite";
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
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
