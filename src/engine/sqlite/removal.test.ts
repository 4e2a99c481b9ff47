/** What a process leaves behind that dies in the middle of a removal, and how the upkeep continues it. */
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { complete, enqueue, start, threadOf } from "../contract/setup.ts";
import { Journal } from "./journal.ts";
import { Removals } from "./removal.ts";
import { SpendingBook } from "./spending.ts";
import { openTemporary } from "./test-data.ts";

test("a thread that is marked is gone, and upkeep removes its runs", async () => {
  await using data = await openTemporary();
  const claim = await start(data.engine, { threadId: "thread" });
  const { run } = claim;
  await complete(data.engine, claim);
  markOnly(data.folder.dbPath);

  expect(await threadOf(data.engine, "thread")).toBeUndefined();
  expect((await data.engine.threads({ limit: 10 })).items).toEqual([]);
  await expect(enqueue(data.engine, { threadId: "thread" })).rejects.toMatchObject({ code: "THREAD_BUSY" });
  expect(await data.engine.retry({ of: run.run_id, runId: "again" })).toBeUndefined();
  await data.engine.maintain();

  expect(await data.engine.run(run.run_id)).toBeUndefined();
  expect(await enqueue(data.engine, { threadId: "thread" })).toMatchObject({ status: "queued" });
});

test("free pages go back to the disk, a little at a time", async () => {
  await using data = await openTemporary();
  await complete(data.engine, await start(data.engine, { threadId: "thread", message: "x".repeat(12_000_000) }));
  await data.engine.deleteThread("thread");
  await data.engine.maintain();
  using db = new DatabaseSync(data.folder.dbPath, { readOnly: true });
  const free = () => Number(db.prepare("PRAGMA freelist_count").get()?.["freelist_count"]);
  expect(free()).toBeGreaterThan(2_000);

  while (await data.engine.retain({})) continue;

  expect(free()).toBeLessThanOrEqual(1_000);
});

/** Runs only the first of the transactions that remove a thread. */
function markOnly(dbPath: string): void {
  using db = new DatabaseSync(dbPath, { timeout: 1_000 });
  const journal = new Journal(db, new SpendingBook(db));
  new Removals(db, journal).mark({ threadId: "thread", isAsked: true }, Date.now());
}
