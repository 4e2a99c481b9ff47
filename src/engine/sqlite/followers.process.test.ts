import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import type { JournalEvent } from "../../core/event.ts";
import { Viewer } from "../contract/collector.ts";
import { delta, enqueue, numbersTo, start, stepOf } from "../contract/setup.ts";
import type { Engine } from "../engine.ts";
import { Forked } from "./fixtures/forked.ts";
import { openTemporary } from "./test-data.ts";

const APPENDER = new URL("./fixtures/appender.ts", import.meta.url);
const READER = new URL("./fixtures/reader.ts", import.meta.url);

const HANDLES = 4;
const TRIALS_PER_HANDLE = 50;
// How many more events a viewer waits for, so that some of them reach it through its follower.
const LIVE_EVENTS = 3;

test(`${HANDLES * TRIALS_PER_HANDLE} viewers that come while another process appends see 1 to n once`, async () => {
  await using data = await openTemporary();
  const { run_id: runId } = await enqueue(data.engine);
  await using appender = new Forked(APPENDER, data.folder.path);
  await appender.message();
  const handles = await Promise.all(Array.from({ length: HANDLES }, () => data.another()));

  const seen = await Promise.all(handles.map((handle) => attachOften(handle, runId)));

  for (const numbers of seen.flat()) expect(numbers).toEqual(numbersTo(numbers.length));
  expect(seen.flat()).toHaveLength(HANDLES * TRIALS_PER_HANDLE);
  appender.send("settle");
  expect(await appender.exitCode()).toBe(0);
});

test("a reader whose storage fails for a moment outlives it and misses nothing", async () => {
  await using data = await openTemporary();
  const claim = await start(data.engine);
  await using reader = new Forked(READER, data.folder.path, claim.run.run_id);
  expect(await reader.message()).toBe("following");
  using storage = new DatabaseSync(data.folder.dbPath, { timeout: 1_000 });

  storage.exec("ALTER TABLE events RENAME TO hidden");
  expect(await reader.message()).toBe("failing");
  storage.exec("ALTER TABLE hidden RENAME TO events");
  await data.engine.append(stepOf(claim, { events: [delta("a")] }));

  expect(await reader.message()).toEqual([4]);
});

async function attachOften(engine: Engine, runId: string): Promise<(readonly number[])[]> {
  const seen: (readonly number[])[] = [];
  while (seen.length < TRIALS_PER_HANDLE) {
    const viewer = new Viewer<JournalEvent>();
    const follower = await engine.follow(runId, { onEvents: viewer.onEvents });
    const events = await engine.events(runId, 0, { limit: 100_000 });
    viewer.caughtUp(events);
    seen.push(await viewer.until(events.length + LIVE_EVENTS));
    follower.stop();
  }
  return seen;
}
