/** Threads: what a model call starts from, what a reader sees, and their removal. */
import { expect, onTestFinished, test, vi } from "vitest";
import type { Message } from "../../core/message.ts";
import { claimNext, complete, delta, enqueue, journalOf, newRun, start, stepOf, type OpenEngine } from "./setup.ts";

export function testThread(open: OpenEngine): void {
  testHistory(open);
  testReading(open);
  testDelete(open);
  testEphemeral(open);
}

const USE: Message = {
  role: "assistant",
  content: [
    { type: "text", text: "let me see" },
    { type: "tool_use", id: "call_1", name: "clock", input: { zone: "UTC" } },
  ],
};
const RESULT: Message = { role: "user", content: [{ type: "tool_result", tool_use_id: "call_1", content: "noon" }] };

function testHistory(open: OpenEngine): void {
  test("a run's history is its thread up to and with it, oldest first", async () => {
    await using data = await open();
    const first = await start(data.engine, { threadId: "thread", message: "one" });
    const second = await enqueue(data.engine, { threadId: "thread", message: "two" });
    const third = await enqueue(data.engine, { threadId: "thread", message: "three" });
    await enqueue(data.engine, { threadId: "other", message: "elsewhere" });

    // Written after "two" and "three" were enqueued, and yet before them in the conversation.
    await data.engine.append(stepOf(first, { messages: [USE, RESULT] }));
    await data.engine.settle(stepOf(first, { messages: [{ role: "assistant", content: "noon" }] }), {
      status: "completed",
      reply: "noon",
    });

    const conversation = [user("one"), USE, RESULT, { role: "assistant", content: "noon" }, user("two")];
    expect(await data.engine.history(second.run_id)).toEqual(conversation);
    expect(await data.engine.history(third.run_id)).toEqual([...conversation, user("three")]);
    expect(await data.engine.history(first.run.run_id)).toEqual(conversation.slice(0, -1));
  });

  test("a tool call that an earlier run left without a result is answered in the history", async () => {
    await using data = await open();
    const first = await start(data.engine, { threadId: "thread", message: "one" });
    await data.engine.settle(stepOf(first, { messages: [USE] }), { status: "canceled" });
    const second = await enqueue(data.engine, { threadId: "thread", message: "two" });

    expect(await data.engine.history(second.run_id)).toEqual([
      user("one"),
      USE,
      { role: "user", content: [expect.objectContaining({ tool_use_id: "call_1", is_error: true })] },
      user("two"),
    ]);
  });

  test("a tool call that the run itself has not finished stays open at the end of its history", async () => {
    await using data = await open();
    const claim = await start(data.engine, { message: "one" });
    await data.engine.append(stepOf(claim, { messages: [USE] }));
    await data.engine.release({ owner: "owner 1", end: "crashed" });

    const next = await claimNext(data.engine, { owner: "owner 2" });

    expect(await data.engine.history(next.run.run_id)).toEqual([user("one"), USE]);
  });

  test("the history of a run that does not exist is empty", async () => {
    await using data = await open();
    expect(await data.engine.history("nobody")).toEqual([]);
  });
}

function testReading(open: OpenEngine): void {
  test("a thread shows its messages, each with its run and time", async () => {
    await using data = await open();
    const claim = await start(data.engine, { threadId: "thread", message: "one" });
    await data.engine.append(stepOf(claim, { messages: [USE] }));

    const thread = await (await data.another()).thread("thread");

    const at = expect.any(Number);
    const { run_id } = claim.run;
    expect(thread).toEqual({
      thread_id: "thread",
      title: "one",
      created_at: at,
      updated_at: at,
      runs: 1,
      messages: [
        { ...user("one"), run_id, at },
        { ...USE, run_id, at },
      ],
    });
  });

  test("a thread that does not exist is undefined", async () => {
    await using data = await open();
    expect(await data.engine.thread("nowhere")).toBeUndefined();
  });

  test("threads come by their newest run, page by page, with their number of runs", async () => {
    await using data = await open();
    for (const threadId of ["a", "b", "c", "d", "e"]) await enqueue(data.engine, { threadId });
    await enqueue(data.engine, { threadId: "a" });

    const first = await data.engine.threads({ limit: 2 });
    const second = await data.engine.threads({ limit: 2, before: first.next ?? 0 });
    const third = await data.engine.threads({ limit: 2, before: second.next ?? 0 });

    const pages = [first, second, third].map(({ items }) => items.map(({ thread_id }) => thread_id));
    expect(pages).toEqual([["a", "e"], ["d", "c"], ["b"]]);
    expect(first).toMatchObject({ items: [{ runs: 2 }, { runs: 1 }] });
    expect(third.next).toBeNull();
  });

  test.each([
    ["What  is\n\ttwo plus two?", "What is two plus two?"],
    ['Say "hi" \\ \u{1f44b}', 'Say "hi" \\ \u{1f44b}'],
    ["x".repeat(500_000), `${"x".repeat(79)}…`],
  ])("a thread's title is how its first message begins", async (message, title) => {
    await using data = await open();
    await enqueue(data.engine, { threadId: "thread", message });
    await enqueue(data.engine, { threadId: "thread", message: "and then?" });

    expect((await data.engine.threads({ limit: 1 })).items[0]?.title).toBe(title);
    expect((await data.engine.thread("thread"))?.title).toBe(title);
  });
}

function testDelete(open: OpenEngine): void {
  test("a deleted thread is gone with its runs, events, messages, tool calls and activities", async () => {
    await using data = await open();
    const claim = await start(data.engine, { threadId: "thread" });
    const call = { stepsBefore: 1, toolCallId: "call_1", name: "clock", effects: "pure", result: null } as const;
    await data.engine.append(stepOf(claim, { events: [delta("a")], messages: [USE], toolCalls: [call] }));
    await complete(data.engine, claim);

    expect(await data.engine.deleteThread("thread")).toBe(true);

    const other = await data.another();
    const { run_id: runId } = claim.run;
    expect(await other.thread("thread")).toBeUndefined();
    expect(await other.run(runId)).toBeUndefined();
    expect(await journalOf(other, runId)).toEqual([]);
    expect(await other.toolCalls(runId)).toEqual([]);
    expect(await other.history(runId)).toEqual([]);
    expect(await other.activities({ limit: 10, threadId: "thread" })).toEqual({ items: [], next: null });
  });

  test("deleting a thread leaves every other thread as it was", async () => {
    await using data = await open();
    await complete(data.engine, await start(data.engine, { threadId: "thread" }));
    const kept = await start(data.engine, { threadId: "kept" });
    const before = [await data.engine.thread("kept"), await journalOf(data.engine, kept.run.run_id)];

    await data.engine.deleteThread("thread");

    expect([await data.engine.thread("kept"), await journalOf(data.engine, kept.run.run_id)]).toEqual(before);
    await complete(data.engine, kept);
  });

  test.each(["queued", "running"])("a thread with a run that is %s is refused as THREAD_BUSY", async (status) => {
    await using data = await open();
    const run = await enqueue(data.engine, { threadId: "thread" });
    if (status === "running") await claimNext(data.engine);

    await expect(data.engine.deleteThread("thread")).rejects.toMatchObject({ code: "THREAD_BUSY" });

    expect(await data.engine.run(run.run_id)).toMatchObject({ status });
    expect(await data.engine.thread("thread")).toMatchObject({ runs: 1 });
  });

  test("deleting a thread that does not exist returns false", async () => {
    await using data = await open();
    expect(await data.engine.deleteThread("nowhere")).toBe(false);
  });

  test("a deleted thread's id, run id and Idempotency-Key are free again", async () => {
    await using data = await open();
    const request = newRun({ threadId: "thread", runId: "my-run", runIdChosen: true, idempotencyKey: "key" });
    await data.engine.enqueue(request);
    await complete(data.engine, await claimNext(data.engine));
    await data.engine.deleteThread("thread");

    const again = await data.engine.enqueue({ ...request, fingerprint: "body 2" });

    expect(again).toMatchObject({ created: true, run: { run_id: "my-run", status: "queued" } });
    expect(await data.engine.history("my-run")).toEqual([user("hello")]);
  });

  test("the feed tells that a thread was deleted, so that lastActivity moves", async () => {
    await using data = await open();
    await complete(data.engine, await start(data.engine, { threadId: "thread" }));
    const before = await data.engine.lastActivity();

    await data.engine.deleteThread("thread");

    expect(await data.engine.lastActivity()).toBeGreaterThan(before);
    const { items } = await data.engine.activities({ limit: 1 });
    expect(items).toMatchObject([{ type: "thread.deleted", thread_id: null, detail: { thread_id: "thread" } }]);
  });

  test("positions in the feed are never used again after a thread was deleted", async () => {
    await using data = await open();
    await complete(data.engine, await start(data.engine, { threadId: "thread" }));
    const before = await data.engine.lastActivity();
    await data.engine.deleteThread("thread");

    const { seq } = await data.engine.post({ type: "notice", detail: {} });

    expect(seq).toBeGreaterThan(before);
  });
}

function testEphemeral(open: OpenEngine): void {
  const before: Message[] = [user("one"), { role: "assistant", content: "two" }];

  test("what was said before a run's message comes before it in its history", async () => {
    await using data = await open();
    const { run_id: runId } = await enqueue(data.engine, { before, message: "three" });
    expect(await data.engine.history(runId)).toEqual([...before, user("three")]);
  });

  test("the thread of an ephemeral run is in no list, and is gone a minute after the run's end", async () => {
    await using data = await open();
    vi.useFakeTimers({ toFake: ["Date"] });
    onTestFinished(() => void vi.useRealTimers());
    await complete(data.engine, await start(data.engine, { threadId: "thread", ephemeral: true }));
    expect((await data.engine.threads({ limit: 10 })).items).toEqual([]);

    vi.setSystemTime(Date.now() + 59_000);
    await data.engine.maintain();
    expect(await data.engine.thread("thread")).toBeDefined();
    vi.setSystemTime(Date.now() + 2_000);
    await data.engine.maintain();
    expect(await data.engine.thread("thread")).toBeUndefined();
  });

  test("an ephemeral thread with a run under way stays", async () => {
    await using data = await open();
    vi.useFakeTimers({ toFake: ["Date"] });
    onTestFinished(() => void vi.useRealTimers());
    await complete(data.engine, await start(data.engine, { threadId: "thread", ephemeral: true }));
    await enqueue(data.engine, { threadId: "thread" });
    vi.setSystemTime(Date.now() + 61_000);
    await data.engine.maintain();
    expect(await data.engine.thread("thread")).toBeDefined();
  });
}

function user(content: string): Message {
  return { role: "user", content };
}
