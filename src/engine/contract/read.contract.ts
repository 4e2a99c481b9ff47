/** Lists: their filters, their order, their pages. */
import { expect, test } from "vitest";
import type { Activity } from "../../core/activity.ts";
import { LISTED_REPLY_CHARACTERS, MAX_METADATA_CHARACTERS, PAGE_CHARACTERS } from "../../core/limits.ts";
import type { Run } from "../../core/run.ts";
import type { ActivityFilter, Engine, ListPage, RunFilter, ToolCall } from "../engine.ts";
import {
  claimNext,
  complete,
  delta,
  enqueue,
  journalOf,
  numbersTo,
  start,
  stepOf,
  threadOf,
  type OpenEngine,
} from "./setup.ts";

// More pages than any list here has: a list whose `next` never ends must fail the test, not hang it.
const MAX_PAGES = 100;

export function testRead(open: OpenEngine): void {
  testMessagePages(open);
  testBoundedLists(open);
  testRuns(open);
  testEvents(open);
  testActivities(open);
  testPost(open);
}

function testRuns(open: OpenEngine): void {
  test("the last event of a run is the one with the highest seq, and 0 where there is none", async () => {
    await using data = await open();
    const claim = await start(data.engine);
    await complete(data.engine, claim);

    const journal = await journalOf(data.engine, claim.run.run_id);
    expect(await data.engine.lastEvent(claim.run.run_id)).toBe(journal.at(-1)?.seq);
    expect(await data.engine.lastEvent("nobody")).toBe(0);
  });

  test("a run that does not exist is undefined", async () => {
    await using data = await open();
    expect(await data.engine.run("nobody")).toBeUndefined();
  });

  test("runs come newest first, and pages show each run once", async () => {
    await using data = await open();
    const ids: string[] = [];
    for (let runs = 0; runs < 7; runs += 1) ids.unshift((await enqueue(data.engine)).run_id);

    for (const limit of [1, 2, 3, 7, 100]) {
      const seen = await walk((before) => data.engine.runs({ limit, ...before }));
      expect(seen.map(({ run_id }) => run_id)).toEqual(ids);
    }
  });

  test.each<[string, Partial<RunFilter>, string[]]>([
    ["status", { status: "queued" }, ["d", "c"]],
    ["another status", { status: "completed" }, ["a"]],
    ["a status that no run has", { status: "failed" }, []],
    ["agent", { agentId: "coder" }, ["d", "b"]],
    ["thread", { threadId: "thread" }, ["c", "a"]],
    ["all at once", { status: "queued", agentId: "coder", threadId: "other" }, ["d"]],
  ])("runs are filtered by %s", async (_name, filter, expected) => {
    await using data = await open();
    await enqueue(data.engine, { runId: "a", threadId: "thread" });
    await complete(data.engine, await claimNext(data.engine));
    await enqueue(data.engine, { runId: "b", agentId: "coder" });
    await claimNext(data.engine);
    await enqueue(data.engine, { runId: "c", threadId: "thread" });
    await enqueue(data.engine, { runId: "d", agentId: "coder", threadId: "other" });

    const page = await data.engine.runs({ limit: 10, ...filter });
    const walked = await walk((before) => data.engine.runs({ limit: 1, ...filter, ...before }));

    expect(page.items.map(({ run_id }) => run_id)).toEqual(expected);
    expect(page.next).toBeNull();
    expect(walked).toEqual(page.items);
  });
}

function testEvents(open: OpenEngine): void {
  test("a page of events ends with the one that reaches its characters, and has at least one", async () => {
    await using data = await open();
    const claim = await start(data.engine);
    for (let count = 0; count < 4; count += 1)
      await data.engine.append(stepOf(claim, { events: [delta("x".repeat(1_000))] }));
    const all = await data.engine.events(claim.run.run_id, 3, { limit: 100 });

    const pages = await Promise.all(
      [1, 1_500, 1_000_000].map((characters) => data.engine.events(claim.run.run_id, 3, { limit: 100, characters })),
    );

    expect(pages).toEqual([all.slice(0, 1), all.slice(0, 2), all]);
  });

  test("events are read in order from after a seq, as many as asked for", async () => {
    await using data = await open();
    const claim = await start(data.engine);
    await data.engine.append(stepOf(claim, { events: numbersTo(7).map((number) => delta(String(number))) }));

    const read = async (after: number, limit: number) =>
      (await data.engine.events(claim.run.run_id, after, { limit })).map(({ seq }) => seq);

    expect(await read(0, 100)).toEqual(numbersTo(10));
    expect(await read(0, 4)).toEqual([1, 2, 3, 4]);
    expect(await read(4, 4)).toEqual([5, 6, 7, 8]);
    expect(await read(8, 4)).toEqual([9, 10]);
    expect(await read(10, 4)).toEqual([]);
    expect(await read(99, 4)).toEqual([]);
  });

  test("a run has its own numbers, and a run that does not exist has no events", async () => {
    await using data = await open();
    const [first, second] = [await start(data.engine), await start(data.engine)];
    await data.engine.append(stepOf(first, { events: [delta("first")] }));
    await data.engine.append(stepOf(second, { events: [delta("second")] }));

    const journal = await journalOf(data.engine, second.run.run_id);

    expect(journal.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
    expect(journal.at(-1)).toMatchObject(delta("second"));
    expect(await data.engine.events("nobody", 0, { limit: 10 })).toEqual([]);
  });
}

function testActivities(open: OpenEngine): void {
  test("activities above a position come oldest first, up to a limit, and with them all of the feed", async () => {
    await using data = await open();
    for (let runs = 0; runs < 3; runs += 1) await complete(data.engine, await start(data.engine));
    const { items } = await data.engine.activities({ limit: 100 });
    const feed = items.toReversed();

    const above = async (after: number, limit: number) =>
      (await data.engine.activitiesAfter(after, limit)).map(({ activity }) => activity);
    expect(await above(0, 100)).toEqual(feed);
    expect(await above(feed[2]?.seq ?? 0, 2)).toEqual(feed.slice(3, 5));
    expect(await above(feed.at(-1)?.seq ?? 0, 2)).toEqual([]);
  });

  test("a run's life is in the feed, newest first, without its text", async () => {
    await using data = await open();
    const { run_id: runId, thread_id: threadId } = await lifeOf(data.engine, "life");

    const { items } = await data.engine.activities({ limit: 100 });

    expect(items.map(({ type }) => type)).toEqual([
      "run.completed",
      "tool.finished",
      "tool.called",
      "run.started",
      "run.queued",
    ]);
    for (const item of items) {
      expect(item).toMatchObject({ run_id: runId, thread_id: threadId, agent_id: "assistant", at: expect.any(Number) });
    }
    expect(items[2]?.detail).toMatchObject({ tool: "clock", tool_call_id: "call_1" });
  });

  test("pages of the feed show each activity once", async () => {
    await using data = await open();
    await lifeOf(data.engine, "one");
    await lifeOf(data.engine, "two");
    const all = await data.engine.activities({ limit: 100 });

    expect(all.items).toHaveLength(10);
    for (const limit of [1, 3, 5, 10]) {
      expect(await walk((before) => data.engine.activities({ limit, ...before }))).toEqual(all.items);
    }
  });

  const filters: [string, Partial<ActivityFilter>, (activity: Activity) => boolean][] = [
    ["agent", { agentId: "coder" }, ({ agent_id }) => agent_id === "coder"],
    ["thread", { threadId: "thread-one" }, ({ thread_id }) => thread_id === "thread-one"],
    ["run", { runId: "two" }, ({ run_id }) => run_id === "two"],
    ["type", { type: "tool.called" }, ({ type }) => type === "tool.called"],
    ["run and type", { runId: "one", type: "run.queued" }, (one) => one.run_id === "one" && one.type === "run.queued"],
    ["a run that does not exist", { runId: "nobody" }, () => false],
  ];
  test.each(filters)("activities are filtered by %s", async (_name, filter, matches) => {
    await using data = await open();
    await lifeOf(data.engine, "one");
    await lifeOf(data.engine, "two", "coder");
    await data.engine.post({ type: "notice", detail: {} });
    const all = await data.engine.activities({ limit: 100 });

    const { items } = await data.engine.activities({ limit: 100, ...filter });

    expect(items).toEqual(all.items.filter(matches));
    expect(await walk((before) => data.engine.activities({ limit: 2, ...filter, ...before }))).toEqual(items);
  });

  test("activities are read from between two positions, which do not count", async () => {
    await using data = await open();
    const posts: Activity[] = [];
    for (let number = 0; number < 5; number += 1) {
      posts.push(await data.engine.post({ type: "notice", detail: { number } }));
    }
    const [after = 0, before = 0] = [posts[0]?.seq, posts[4]?.seq];

    const { items } = await data.engine.activities({ limit: 100, after, before });

    expect(items.map(({ detail }) => detail["number"])).toEqual([3, 2, 1]);
  });
}

function testPost(open: OpenEngine): void {
  test("a posted notice is the newest activity, of no run", async () => {
    await using data = await open();
    await enqueue(data.engine);

    const posted = await data.engine.post({ type: "notice", detail: { role: "operator", content: "hi" } });

    expect(posted).toMatchObject({ type: "notice", agent_id: null, thread_id: null, run_id: null });
    const { items } = await (await data.another()).activities({ limit: 1 });
    expect(items).toEqual([posted]);
  });

  test("lastActivity is the position of the newest activity, 0 in an empty feed", async () => {
    await using data = await open();
    const other = await data.another();
    expect(await other.lastActivity()).toBe(0);

    const { seq } = await data.engine.post({ type: "notice", detail: {} });

    expect(await other.lastActivity()).toBe(seq);
  });

  test("countActivities counts each type above a position, and says how far it came", async () => {
    await using data = await open();
    const { seq: before } = await data.engine.post({ type: "notice", detail: {} });
    await lifeOf(data.engine, "run-1");
    await lifeOf(data.engine, "run-2");
    const last = await data.engine.lastActivity();

    const byType = { "run.queued": 2, "run.started": 2, "tool.called": 2, "tool.finished": 2, "run.completed": 2 };
    expect(await data.engine.countActivities(before)).toEqual({ last, byType });
    expect(await data.engine.countActivities(last)).toEqual({ last, byType: {} });
  });
}

/** A run that calls one tool and completes. */
async function lifeOf(engine: Engine, runId: string, agentId = "assistant"): Promise<Run> {
  const claim = await start(engine, { runId, threadId: `thread-${runId}`, agentId });
  const called: ToolCall = { stepsBefore: 1, toolCallId: "call_1", name: "clock", effects: "pure", result: null };
  const finished: ToolCall = { ...called, result: { content: "noon", isError: false } };
  await engine.append(stepOf(claim, { toolCalls: [called] }));
  await engine.append(stepOf(claim, { toolCalls: [finished], events: [delta("It is noon.")] }));
  await complete(engine, claim);
  return claim.run;
}

/** Follows `next` to the end. */
async function walk<T>(read: (before: { before?: number }) => Promise<ListPage<T>>): Promise<T[]> {
  const items: T[] = [];
  let before: number | undefined;
  for (let pages = 0; pages < MAX_PAGES; pages += 1) {
    const page = await read(before === undefined ? {} : { before });
    items.push(...page.items);
    before = page.next ?? undefined;
    if (page.next === null) return items;
  }
  throw new Error(`There is no end after ${MAX_PAGES} pages.`);
}

function testMessagePages(open: OpenEngine): void {
  test("messages come in pages from the newest back, each oldest first, and together they are the thread", async () => {
    await using data = await open();
    for (const text of ["one", "two"]) {
      const claim = await start(data.engine, { threadId: "thread", message: text });
      for (const word of ["a", "b"])
        await data.engine.append(stepOf(claim, { messages: [{ role: "assistant", content: word }] }));
      await complete(data.engine, claim);
    }
    const whole = await threadOf(data.engine, "thread");

    for (const limit of [1, 2, 3, 4, 5, 6]) expect(await threadOf(data.engine, "thread", limit)).toEqual(whole);
    const { items, next } = await data.engine.messages("thread", { limit: 2 });
    expect(items.map((json) => JSON.parse(json) as object)).toMatchObject([{ content: "a" }, { content: "b" }]);
    expect(next).not.toBeNull();
    expect(whole?.messages.map(({ content }) => content)).toEqual(["one", "a", "b", "two", "a", "b"]);
    expect(await data.engine.messages("nowhere", { limit: 2 })).toEqual({ items: [], next: null });
  });

  test("a page of messages ends with the one that reaches its characters, and always has one", async () => {
    await using data = await open();
    const claim = await start(data.engine, { threadId: "thread" });
    for (let many = 0; many < 5; many += 1)
      await data.engine.append(stepOf(claim, { messages: [{ role: "assistant", content: "x".repeat(1_000) }] }));

    const sizes: number[] = [];
    let before = Number.MAX_SAFE_INTEGER;
    for (let next: number | null = before; next !== null;) {
      const page = await data.engine.messages("thread", { limit: 100, characters: 1_500, before: next });
      sizes.push(page.items.length);
      next = page.next;
    }
    const [single] = (await data.engine.messages("thread", { limit: 100, characters: 1 })).items;

    expect(sizes).toEqual([2, 2, 2]);
    expect(single).toContain("xxx");
    before = 0;
    expect(await data.engine.messages("thread", { limit: 100, before })).toEqual({ items: [], next: null });
  });
}

function testBoundedLists(open: OpenEngine): void {
  test("a list shows the beginning of a long reply, the run itself all of it", async () => {
    await using data = await open();
    const claim = await start(data.engine);
    // The cut falls into the middle of a character of two units.
    const reply = `${"long ".repeat(99)}abc${"😀".repeat(20_000)}`;
    await complete(data.engine, claim, reply);

    const [listed] = (await data.engine.runs({ limit: 1 })).items;

    expect(listed?.reply).toHaveLength(LISTED_REPLY_CHARACTERS);
    expect(listed?.reply).toMatch(/^long long .*abc\uFFFD…$/u);
    expect((await data.engine.run(claim.run.run_id))?.reply).toBe(reply);
  });

  test("a page of long rows ends before its limit, and the pages together hold every row once", async () => {
    await using data = await open();
    const metadata = { text: "x".repeat(MAX_METADATA_CHARACTERS - 100) };
    const many = Math.ceil((2 * PAGE_CHARACTERS) / MAX_METADATA_CHARACTERS);
    const ids: string[] = [];
    for (let count = 0; count < many; count += 1) {
      ids.unshift((await enqueue(data.engine, { metadata })).run_id);
      await data.engine.post({ type: "notice", detail: metadata });
    }
    const runs = (before: { before?: number }) => data.engine.runs({ limit: 500, ...before });
    const notices = (before: { before?: number }) => data.engine.activities({ limit: 500, type: "notice", ...before });

    for (const read of [runs, notices]) {
      const page = JSON.stringify((await read({})).items);
      expect(page.length).toBeGreaterThan(PAGE_CHARACTERS);
      // A row more, and the names of fields.
      expect(page.length).toBeLessThan(1.1 * PAGE_CHARACTERS);
    }
    expect((await walk(runs)).map(({ run_id }) => run_id)).toEqual(ids);
    expect(await walk(notices)).toHaveLength(many);
  });

  test("pages by several filters, short ones too, together hold every run that fits, once", async () => {
    await using data = await open();
    for (let many = 0; many < 30; many += 1)
      await enqueue(data.engine, { agentId: many % 10 === 0 ? "rare" : "often" });
    const found: string[] = [];
    for (let before: number | undefined; ;) {
      const filter = { limit: 2, status: "queued", agentId: "rare" } as const;
      const { items, next } = await data.engine.runs({ ...filter, ...(before !== undefined && { before }) });
      found.push(...items.map(({ run_id }) => run_id));
      if (next === null) break;
      before = next;
    }

    expect(found).toHaveLength(3);
    expect(new Set(found).size).toBe(3);
  });
}
