/** Retention: what is removed by itself, and what has to stay. */
import { LASTING_KEY } from "../rules/enqueue.ts";
import { expect, test } from "vitest";
import type { Engine } from "../engine.ts";
import {
  claimNext,
  complete,
  delta,
  enqueue,
  journalOf,
  newRun,
  numbersTo,
  start,
  stepOf,
  threadOf,
  type OpenEngine,
} from "./setup.ts";
import { DAY_MS, later, settled } from "./time.ts";

export function testRetain(open: OpenEngine): void {
  testDeltas(open);
  testThreads(open);
  testFeedAndKeys(open);
}

function testDeltas(open: OpenEngine): void {
  const text = ["The ", "quick ", "brown ", "fox"];

  test("deltas of an old run are joined: numbers skip, content never", async () => {
    await using data = await open();
    const runId = await told(data.engine, text);
    const before = await journalOf(data.engine, runId);
    await later(data.engine, { deltasMs: DAY_MS });

    const after = await journalOf(await data.another(), runId);

    expect(after.filter(({ type }) => type === "TEXT_MESSAGE_CONTENT")).toMatchObject([{ delta: text.join("") }]);
    expect(after.map(({ seq }) => seq)).toEqual(before.map(({ seq }) => seq).filter((seq) => ![4, 5, 6].includes(seq)));
    expect(after.at(-1)).toEqual(before.at(-1));
  });

  test("who has some of the joined deltas gets the others, and is told where they begin", async () => {
    await using data = await open();
    const runId = await told(data.engine, text);
    await later(data.engine, { deltasMs: DAY_MS });

    const [rest] = await data.engine.events(runId, 5, { limit: 1 });

    expect(rest).toMatchObject({ seq: 7, first: 6 });
    expect(JSON.parse(rest?.data ?? "")).toMatchObject({ seq: 7, delta: "brown fox" });
  });

  test("deltas of a run under way, or of one that ended a moment ago, stay as they are", async () => {
    await using data = await open();
    const running = await start(data.engine);
    await data.engine.append(stepOf(running, { events: text.map((piece) => delta(piece)) }));
    await later(data.engine, { deltasMs: DAY_MS });
    const runId = await told(data.engine, text);
    await settled(data.engine, { deltasMs: DAY_MS });

    for (const id of [runId, running.run.run_id]) {
      const said = (await journalOf(data.engine, id)).filter(({ type }) => type === "TEXT_MESSAGE_CONTENT");
      expect(said).toHaveLength(text.length);
    }
  });

  test("many runs are joined, each by itself, those that are long among them", async () => {
    await using data = await open();
    const texts = [5, 0, 1_500, 2, 2_500, 900, 3].map((length, run) =>
      Array.from({ length }, (_, index) => `${run}.${index} `),
    );
    const runIds: string[] = [];
    for (const pieces of texts) runIds.push(await told(data.engine, pieces));
    await later(data.engine, { deltasMs: DAY_MS });

    for (const [index, runId] of runIds.entries()) {
      const said = (await journalOf(data.engine, runId)).filter(({ type }) => type === "TEXT_MESSAGE_CONTENT");
      expect(said.length).toBeLessThan(5);
      expect(said.map(({ delta: piece }) => piece).join("")).toBe(texts[index]?.join(""));
    }
  });

  test("a long journal is joined as a whole", async () => {
    await using data = await open();
    const long = Array.from({ length: 5_000 }, (_, index) => `${index} `);
    const runId = await told(data.engine, long);
    await later(data.engine, { deltasMs: DAY_MS });

    const said = (await journalOf(data.engine, runId)).filter(({ type }) => type === "TEXT_MESSAGE_CONTENT");

    expect(said.length).toBeLessThan(20);
    expect(said.map(({ delta: piece }) => piece).join("")).toBe(long.join(""));
  });
}

function testThreads(open: OpenEngine): void {
  test("old threads go with what they delegated, and newer ones stay", async () => {
    await using data = await open();
    const { child } = await delegated(data.engine, "old");
    await later(data.engine, {});
    await complete(data.engine, await start(data.engine, { threadId: "new" }));
    await settled(data.engine, { threadsMs: DAY_MS });

    expect(await threadOf(data.engine, "old")).toBeUndefined();
    expect(await data.engine.run(child)).toBeUndefined();
    expect(await journalOf(data.engine, child)).toEqual([]);
    expect(await threadOf(data.engine, "new")).toBeDefined();
  });

  test("the feed tells of each thread that goes, so that lists drop it, and its position never goes back", async () => {
    await using data = await open();
    for (const threadId of ["one", "two"]) await complete(data.engine, await start(data.engine, { threadId }));
    const { child } = await delegated(data.engine, "three");
    const position = await data.engine.lastActivity();
    await later(data.engine, { threadsMs: DAY_MS });

    const told = await data.engine.activitiesAfter(position, 100);
    expect(await data.engine.run(child)).toBeUndefined();
    expect(told.map(({ principal, activity: { type, detail } }) => [principal, type, detail["thread_id"]])).toEqual(
      ["one", "two", "three"].map((threadId) => ["ana", "thread.deleted", threadId]),
    );
    expect(await data.engine.lastActivity()).toBeGreaterThan(position);
  });

  test("what a thread delegated stays for as long as the thread does", async () => {
    await using data = await open();
    const { child } = await delegated(data.engine, "thread");
    await later(data.engine, {});
    await complete(data.engine, await start(data.engine, { threadId: "thread" }));
    await settled(data.engine, { threadsMs: DAY_MS });

    expect(await data.engine.run(child)).toBeDefined();
  });

  test("an old thread with a run under way stays", async () => {
    await using data = await open();
    await complete(data.engine, await start(data.engine, { threadId: "thread" }));
    const waiting = await enqueue(data.engine, { threadId: "thread" });
    await later(data.engine, { threadsMs: DAY_MS });

    expect(await data.engine.run(waiting.run_id)).toMatchObject({ status: "queued" });
    await complete(data.engine, await claimNext(data.engine));
  });

  test("an old thread that had to stay goes when it may, although the walk was past it", async () => {
    await using data = await open();
    const parent = await start(data.engine, { threadId: "thread" });
    const child = await start(data.engine, { parentRunId: parent.run.run_id });
    await complete(data.engine, parent);
    await later(data.engine, { threadsMs: DAY_MS });
    expect(await threadOf(data.engine, "thread")).toBeDefined();

    await data.engine.settle(stepOf(child), { status: "canceled" });
    await settled(data.engine, { threadsMs: DAY_MS });

    expect(await threadOf(data.engine, "thread")).toBeUndefined();
  });

  test("without a limit everything stays", async () => {
    await using data = await open();
    const runId = await told(data.engine, ["a", "b"]);
    const before = [await journalOf(data.engine, runId), await data.engine.activities({ limit: 100 })];
    await later(data.engine, {});
    expect([await journalOf(data.engine, runId), await data.engine.activities({ limit: 100 })]).toEqual(before);
  });
}

function testFeedAndKeys(open: OpenEngine): void {
  test("old activities go, and the feed's position never goes back", async () => {
    await using data = await open();
    await complete(data.engine, await start(data.engine));
    const { seq } = await data.engine.post({ type: "notice", detail: {} });
    await later(data.engine, { activitiesMs: DAY_MS });

    expect(await data.engine.lastActivity()).toBe(seq);
    const { items } = await data.engine.activities({ limit: 100 });
    expect(items.map((activity) => activity.seq)).toEqual([seq]);
    expect((await data.engine.post({ type: "notice", detail: {} })).seq).toBe(seq + 1);
    await settled(data.engine, { activitiesMs: DAY_MS });
    expect((await data.engine.activities({ limit: 100 })).items.map((activity) => activity.seq)).toEqual([seq + 1]);
  });

  // Drivers remove them in batches of round numbers.
  test.each([100, 500, 1_000])("of %i old activities the newest stays", async (count) => {
    await using data = await open();
    await Promise.all(numbersTo(count).map(() => data.engine.post({ type: "notice", detail: {} })));
    const position = await data.engine.lastActivity();
    await later(data.engine, { activitiesMs: DAY_MS });

    expect((await data.engine.activities({ limit: 100 })).items.map(({ seq }) => seq)).toEqual([position]);
    expect(await data.engine.lastActivity()).toBe(position);
  });

  test("an Idempotency-Key is free again some time after the end of its run, and not before", async () => {
    await using data = await open();
    const request = newRun({ idempotencyKey: "key" });
    const { run } = await data.engine.enqueue(request);
    await complete(data.engine, await claimNext(data.engine));
    await settled(data.engine, { keysMs: DAY_MS });
    expect(await data.engine.enqueue({ ...request, runId: "again" })).toMatchObject({ created: false });

    await later(data.engine, { keysMs: DAY_MS });

    expect(await data.engine.enqueue({ ...request, runId: "again" })).toMatchObject({ created: true });
    expect(await data.engine.run(run.run_id)).toMatchObject({ status: "completed" });
  });

  test("an Idempotency-Key that names a message is kept as long as its run", async () => {
    await using data = await open();
    const request = newRun({ idempotencyKey: `${LASTING_KEY}thread:message` });
    await data.engine.enqueue(request);
    await complete(data.engine, await claimNext(data.engine));
    await later(data.engine, { keysMs: DAY_MS });
    expect(await data.engine.enqueue({ ...request, runId: "again" })).toMatchObject({ created: false });
  });

  test("the Idempotency-Key of a run that still waits is kept, however old it is", async () => {
    await using data = await open();
    const request = newRun({ idempotencyKey: "key" });
    await data.engine.enqueue(request);
    await later(data.engine, { keysMs: DAY_MS });
    expect(await data.engine.enqueue({ ...request, runId: "again" })).toMatchObject({ created: false });
  });
}

/** A run that is over. Its journal has these pieces of text from seq 4 on. */
async function told(engine: Engine, pieces: readonly string[]): Promise<string> {
  const claim = await start(engine);
  await engine.append(stepOf(claim, { events: pieces.map((piece) => delta(piece)) }));
  await complete(engine, claim);
  return claim.run.run_id;
}

/** A thread whose run delegated another one; both are over. */
async function delegated(engine: Engine, threadId: string): Promise<{ readonly child: string }> {
  const parent = await start(engine, { threadId });
  const child = await start(engine, { parentRunId: parent.run.run_id });
  await complete(engine, child);
  await complete(engine, parent);
  return { child: child.run.run_id };
}
