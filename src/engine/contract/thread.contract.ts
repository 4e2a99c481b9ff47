/** Threads: what a model call starts from, what a reader sees, and their removal. */
import { expect, onTestFinished, test, vi } from "vitest";
import type { ErrorCode } from "../../core/errors.ts";
import type { Message } from "../../core/message.ts";
import type { Claim, Engine, ToolCall } from "../engine.ts";
import {
  claimNext,
  complete,
  delta,
  enqueue,
  journalOf,
  newRun,
  ownerOf,
  start,
  stepOf,
  type OpenEngine,
  threadOf,
} from "./setup.ts";

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

    // These messages are written after "two" and "three" were enqueued, but stand before them in the conversation.
    await data.engine.append(stepOf(first, { messages: [USE, RESULT] }));
    await data.engine.settle(stepOf(first, { messages: [{ role: "assistant", content: "noon" }] }), {
      status: "completed",
      reply: "noon",
    });

    const one = [user("one"), USE, RESULT, { role: "assistant", content: "noon" }];
    expect(await messagesOf(data.engine, second.run_id)).toEqual([one, [user("two")]]);
    expect(await messagesOf(data.engine, third.run_id)).toEqual([one, [user("two")], [user("three")]]);
    expect(await messagesOf(data.engine, first.run.run_id)).toEqual([one]);
  });

  test("each turn of a history says how its run stands", async () => {
    await using data = await open();
    const first = await start(data.engine, { threadId: "thread", agentId: "helper" });
    const error = { code: "MODEL_UNAVAILABLE", detail: "no answer" } as const;
    await data.engine.settle(stepOf(first, { steps: 3 }), { status: "failed", error });
    const second = await start(data.engine, { threadId: "thread" });

    expect(await data.engine.history(second.run.run_id)).toMatchObject([
      {
        runId: first.run.run_id,
        agentId: "helper",
        status: "failed",
        finishReason: "error",
        errorCode: "MODEL_UNAVAILABLE",
        attempts: 1,
        steps: 3,
      },
      { runId: second.run.run_id, status: "running", finishReason: null, errorCode: null, steps: 0, toolCalls: [] },
    ]);
  });

  test("what a message says of itself comes back with it", async () => {
    await using data = await open();
    const claim = await start(data.engine, { threadId: "thread", message: "one" });
    const cut: Message = { role: "assistant", content: "no", model: "claude-test", cut: "canceled", note: "stopped" };
    await data.engine.append(stepOf(claim, { messages: [cut] }));

    expect(await messagesOf(data.engine, claim.run.run_id)).toEqual([[user("one"), cut]]);
    expect((await threadOf(data.engine, "thread"))?.messages[1]).toMatchObject(cut);
  });

  test.each([{ status: "canceled" }, { status: "failed", error: { code: "POISONED", detail: "again" } }] as const)(
    "a turn that is $status has its ledger, which knows of calls without a result",
    async (outcome) => {
      await using data = await open();
      const first = await start(data.engine, { threadId: "thread", message: "one" });
      const call = { stepsBefore: 1, toolCallId: "call_1", name: "clock", effects: "pure" } as const;
      const finished: ToolCall = { ...call, result: { content: "noon", isError: false } };
      await data.engine.append(stepOf(first, { messages: [USE], steps: 1, toolCalls: [finished] }));
      await data.engine.settle(stepOf(first), outcome);
      const second = await enqueue(data.engine, { threadId: "thread", message: "two" });

      expect(await data.engine.history(second.run_id)).toMatchObject([
        { messages: [user("one"), USE], steps: 1, toolCalls: [finished] },
        { messages: [user("two")], toolCalls: [] },
      ]);
    },
  );

  test("a run that goes on elsewhere has its messages up to its last checkpoint", async () => {
    await using data = await open();
    const claim = await start(data.engine, { message: "one" });
    await data.engine.append(stepOf(claim, { messages: [USE] }));
    await data.engine.release({ owner: ownerOf("owner 1") }, "crashed");

    const next = await claimNext(data.engine, { owner: "owner 2" });

    expect(await messagesOf(data.engine, next.run.run_id)).toEqual([[user("one"), USE]]);
  });

  test("the history of a run that does not exist is empty", async () => {
    await using data = await open();
    expect(await data.engine.history("nobody")).toEqual([]);
  });
}

function testReading(open: OpenEngine): void {
  test("a message that the model does not get to see is marked, with the reason", async () => {
    await using data = await open();
    const threadId = "thread";
    await data.engine.cancel((await enqueue(data.engine, { threadId, message: "delete everything" })).run_id);
    const rejected = await start(data.engine, { threadId, message: "too odd" });
    await fail(data.engine, rejected, "MODEL_REJECTED");
    await fail(data.engine, await start(data.engine, { threadId, message: "hello" }), "MODEL_UNAVAILABLE");
    await complete(data.engine, await start(data.engine, { threadId, message: "hello" }));

    const messages = (await threadOf(data.engine, threadId))?.messages ?? [];

    expect(messages.map(({ content, sent, why }) => [content, sent, why])).toEqual([
      ["delete everything", false, "withdrawn"],
      ["too odd", false, "rejected"],
      ["hello", undefined, undefined],
      ["hello", false, "repeated"],
    ]);
  });

  test("a failed question is repeated by itself, and not by what was said elsewhere before it", async () => {
    await using data = await open();
    const before = [user("hello"), { role: "assistant" as const, content: "Hello." }];
    for (const [threadId, message] of [
      ["a", "hello"],
      ["b", "And now?"],
    ] as const) {
      const failed = await start(data.engine, { threadId, before, message: "And now?" });
      await data.engine.append(stepOf(failed, { messages: [{ ...USE, model: "m" }, RESULT] }));
      await fail(data.engine, failed, "MODEL_UNAVAILABLE");
      await enqueue(data.engine, { threadId, message });
      await data.engine.cancel((await claimNext(data.engine)).run.run_id);
    }

    const [a, b] = await Promise.all(["a", "b"].map((threadId) => threadOf(data.engine, threadId)));

    expect([a, b].map((thread) => thread?.messages.map(({ why }) => why))).toEqual([
      [undefined, undefined, undefined, undefined, undefined, undefined],
      [undefined, undefined, undefined, undefined, undefined, "repeated"],
    ]);
  });

  test("a thread shows its messages, each with its run and time", async () => {
    await using data = await open();
    const claim = await start(data.engine, { threadId: "thread", message: "one" });
    await data.engine.append(stepOf(claim, { messages: [USE] }));

    const thread = await threadOf(await data.another(), "thread");

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
    expect(await threadOf(data.engine, "nowhere")).toBeUndefined();
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
    expect((await threadOf(data.engine, "thread"))?.title).toBe(title);
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
    expect(await threadOf(other, "thread")).toBeUndefined();
    expect(await other.messages("thread", { limit: 10 })).toEqual({ items: [], next: null });
    expect(await other.threads({ limit: 10 })).toEqual({ items: [], next: null });
    expect(await other.runs({ limit: 10 })).toEqual({ items: [], next: null });
    expect(await other.run(runId)).toBeUndefined();
    expect(await journalOf(other, runId)).toEqual([]);
    expect(await other.toolCalls(runId)).toEqual([]);
    expect(await other.history(runId)).toEqual([]);
    expect(await other.activities({ limit: 10, threadId: "thread" })).toEqual({ items: [], next: null });
  });

  test("who deletes a thread that no list shows is told of it, as of any other", async () => {
    await using data = await open();
    await complete(data.engine, await start(data.engine, { threadId: "hidden", ephemeral: true }));
    await enqueue(data.engine, { threadId: "kept" });

    await data.engine.deleteThread("hidden");

    const { items } = await data.engine.activities({ limit: 1 });
    expect(items).toMatchObject([{ type: "thread.deleted", detail: { thread_id: "hidden" } }]);
  });

  test("deleting a thread leaves every other thread as it was", async () => {
    await using data = await open();
    await complete(data.engine, await start(data.engine, { threadId: "thread" }));
    const kept = await start(data.engine, { threadId: "kept" });
    const before = [await threadOf(data.engine, "kept"), await journalOf(data.engine, kept.run.run_id)];

    await data.engine.deleteThread("thread");

    expect([await threadOf(data.engine, "kept"), await journalOf(data.engine, kept.run.run_id)]).toEqual(before);
    await complete(data.engine, kept);
  });

  test.each(["queued", "running"])("a thread with a run that is %s is refused as THREAD_BUSY", async (status) => {
    await using data = await open();
    const run = await enqueue(data.engine, { threadId: "thread" });
    if (status === "running") await claimNext(data.engine);

    await expect(data.engine.deleteThread("thread")).rejects.toMatchObject({ code: "THREAD_BUSY" });

    expect(await data.engine.run(run.run_id)).toMatchObject({ status });
    expect(await threadOf(data.engine, "thread")).toMatchObject({ runs: 1 });
  });

  test("a thread of hundreds of runs, each with delegated ones, goes as a whole", async () => {
    await using data = await open();
    const children: string[] = [];
    for (let index = 0; index < 150; index += 1) {
      const parent = await start(data.engine, { threadId: "thread" });
      const child = await start(data.engine, { parentRunId: parent.run.run_id });
      children.push(child.run.run_id);
      await complete(data.engine, child);
      await complete(data.engine, parent);
    }

    expect(await data.engine.deleteThread("thread")).toBe(true);

    const left = await data.engine.runs({ limit: 500 });
    expect(left.items).toEqual([]);
    expect(await journalOf(data.engine, children[0] ?? "")).toEqual([]);
    expect((await data.engine.activities({ limit: 10 })).items.map(({ type }) => type)).toEqual(["thread.deleted"]);
    expect(await data.engine.deleteThread("thread")).toBe(false);
  });

  test("a thread whose delegated run is under way is refused as THREAD_BUSY, and keeps all its runs", async () => {
    await using data = await open();
    await complete(data.engine, await start(data.engine, { threadId: "thread" }));
    const parent = await start(data.engine, { threadId: "thread" });
    const child = await enqueue(data.engine, { parentRunId: parent.run.run_id });

    await expect(data.engine.deleteThread("thread")).rejects.toMatchObject({ code: "THREAD_BUSY" });

    expect(await threadOf(data.engine, "thread")).toMatchObject({ runs: 2 });
    expect(await data.engine.run(child.run_id)).toMatchObject({ status: "queued" });
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
    expect(await messagesOf(data.engine, "my-run")).toEqual([[user("hello")]]);
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
    expect(await messagesOf(data.engine, runId)).toEqual([[...before, user("three")]]);
  });

  test("the thread of an ephemeral run is in no list, and is gone a minute after the run's end", async () => {
    await using data = await open();
    vi.useFakeTimers({ toFake: ["Date"] });
    onTestFinished(() => void vi.useRealTimers());
    await complete(data.engine, await start(data.engine, { threadId: "thread", ephemeral: true }));
    expect((await data.engine.threads({ limit: 10 })).items).toEqual([]);

    vi.setSystemTime(Date.now() + 59_000);
    await data.engine.maintain();
    expect(await threadOf(data.engine, "thread")).toBeDefined();
    vi.setSystemTime(Date.now() + 2_000);
    await data.engine.maintain();
    expect(await threadOf(data.engine, "thread")).toBeUndefined();
  });

  test("the feed's position never goes back when ephemeral threads go", async () => {
    await using data = await open();
    vi.useFakeTimers({ toFake: ["Date"] });
    onTestFinished(() => void vi.useRealTimers());
    for (const threadId of ["older", "newest"])
      await complete(data.engine, await start(data.engine, { threadId, ephemeral: true }));
    const position = await data.engine.lastActivity();

    vi.setSystemTime(Date.now() + 61_000);
    await data.engine.maintain();

    expect(await data.engine.lastActivity()).toBeGreaterThan(position);
    const { items } = await data.engine.activities({ limit: 10 });
    expect(items.map(({ type, detail }) => [type, detail["thread_id"]])).toEqual([["thread.deleted", "newest"]]);
  });

  test.each(["running", "queued"])("an ephemeral thread goes however many older ones have a run %s", async (status) => {
    await using data = await open();
    vi.useFakeTimers({ toFake: ["Date"] });
    onTestFinished(() => void vi.useRealTimers());
    for (let index = 0; index < 25; index += 1) {
      const parent = await start(data.engine, { threadId: `older ${index}`, ephemeral: true });
      if (status === "running") await start(data.engine, { parentRunId: parent.run.run_id });
      await complete(data.engine, parent);
    }
    if (status === "queued")
      for (let index = 0; index < 25; index += 1) await enqueue(data.engine, { threadId: `older ${index}` });
    vi.setSystemTime(Date.now() + 1_000);
    const later = await enqueue(data.engine, { threadId: "later", ephemeral: true });
    await data.engine.cancel(later.run_id);

    vi.setSystemTime(Date.now() + 61_000);
    await data.engine.maintain();

    expect(await data.engine.thread("later")).toBeUndefined();
    expect(await data.engine.counts()).toMatchObject({ [status]: 25 });
  });

  test("an ephemeral thread with a run under way stays", async () => {
    await using data = await open();
    vi.useFakeTimers({ toFake: ["Date"] });
    onTestFinished(() => void vi.useRealTimers());
    await complete(data.engine, await start(data.engine, { threadId: "thread", ephemeral: true }));
    await enqueue(data.engine, { threadId: "thread" });
    vi.setSystemTime(Date.now() + 61_000);
    await data.engine.maintain();
    expect(await threadOf(data.engine, "thread")).toBeDefined();
  });

  test("an ephemeral thread whose delegated run is not over stays until it is, and no other one with it", async () => {
    await using data = await open();
    vi.useFakeTimers({ toFake: ["Date"] });
    onTestFinished(() => void vi.useRealTimers());
    const parent = await start(data.engine, { runId: "parent", threadId: "thread", ephemeral: true });
    const child = await start(data.engine, { parentRunId: "parent" });
    await complete(data.engine, parent);
    await complete(data.engine, await start(data.engine, { threadId: "other", ephemeral: true }));

    vi.setSystemTime(Date.now() + 61_000);
    await data.engine.maintain();
    expect(await threadOf(data.engine, "thread")).toBeDefined();
    expect(await threadOf(data.engine, "other")).toBeUndefined();

    await data.engine.settle(stepOf(child), { status: "canceled" });
    await data.engine.maintain();
    expect(await threadOf(data.engine, "thread")).toBeUndefined();
  });
}

function user(content: string): Message {
  return { role: "user", content };
}

/** The messages of each turn. */
async function messagesOf(engine: Engine, runId: string): Promise<(readonly Message[])[]> {
  return (await engine.history(runId)).map(({ messages }) => messages);
}

async function fail(engine: Engine, claim: Claim, code: ErrorCode): Promise<void> {
  await engine.settle(stepOf(claim), { status: "failed", error: { code, detail: "a fault" } });
}
