/** Retention when a write beside it breaks. */
import { expect, test } from "vitest";
import { complete, delta, journalOf, start, stepOf } from "../contract/setup.ts";
import { DAY_MS, moveOn } from "../contract/time.ts";
import { amongBrokenWrites, openTemporary } from "./test-data.ts";

test("deltas are joined although a write of the same transaction breaks", async () => {
  await using data = await openTemporary();
  const claim = await start(data.engine);
  await data.engine.append(stepOf(claim, { events: ["The ", "quick ", "fox"].map((text) => delta(text)) }));
  await complete(data.engine, claim);
  moveOn();
  await amongBrokenWrites(data, () => data.engine.retain({ deltasMs: DAY_MS }));

  const events = await journalOf(data.engine, claim.run.run_id);

  const said = events.filter(({ type }) => type === "TEXT_MESSAGE_CONTENT");
  expect(said).toMatchObject([{ delta: "The quick fox" }]);
});
