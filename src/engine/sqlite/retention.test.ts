/** Retention when a write beside it breaks. */
import { DatabaseSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { complete, delta, journalOf, start, stepOf } from "../contract/setup.ts";
import { DAY_MS, moveOn } from "../contract/time.ts";
import { openTemporary } from "./test-data.ts";

test("deltas are joined although a write of the same transaction breaks", async () => {
  await using data = await openTemporary();
  const claim = await start(data.engine);
  await data.engine.append(stepOf(claim, { events: ["The ", "quick ", "fox"].map((text) => delta(text)) }));
  await complete(data.engine, claim);
  moveOn();
  using rival = new DatabaseSync(data.folder.dbPath, { timeout: 0 });
  rival.exec("BEGIN IMMEDIATE");
  const retaining = data.engine.retain({ deltasMs: DAY_MS });
  // All wait for the lock. Some of those that break come behind the retention.
  const broken: Promise<unknown>[] = [];
  while (broken.length < 10) {
    broken.push(data.engine.share("broken", Symbol("no text") as never, 0).catch(String));
    await setTimeout(20);
  }
  rival.exec("COMMIT");
  for (const error of await Promise.all(broken)) expect(error).toContain("cannot be bound");
  await retaining;

  const events = await journalOf(data.engine, claim.run.run_id);

  const said = events.filter(({ type }) => type === "TEXT_MESSAGE_CONTENT");
  expect(said).toMatchObject([{ delta: "The quick fox" }]);
});
