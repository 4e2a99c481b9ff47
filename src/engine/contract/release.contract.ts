/**
 * Runs whose owner is gone: they are handed back, their journals are closed for readers, and they are given up in the
 * end.
 */
import { expect, test } from "vitest";
import type { RunEvent } from "../../core/event.ts";
import type { Engine, ToolCall } from "../engine.ts";
import {
  claimNext,
  complete,
  delta,
  enqueue,
  journalOf,
  LEASE_MS,
  start,
  stepOf,
  typesOf,
  type OpenEngine,
  type ReadEvent,
  ownerOf,
  claimExpired,
} from "./setup.ts";

export function testRelease(open: OpenEngine): void {
  testHandBack(open);
  testOpenEvents(open);
  testPoison(open);
}

function testHandBack(open: OpenEngine): void {
  test("release hands the runs of one owner back, and says how many", async () => {
    await using data = await open();
    const mine = [await start(data.engine, { owner: "owner 1" }), await start(data.engine, { owner: "owner 1" })];
    const other = await start(data.engine, { owner: "owner 2" });

    expect(await data.engine.release({ owner: ownerOf("owner 1") }, "stopped")).toBe(2);

    for (const { run } of mine) expect(await data.engine.run(run.run_id)).toMatchObject({ status: "queued" });
    expect(await data.engine.run(other.run.run_id)).toEqual(other.run);
    expect(await data.engine.release({ owner: ownerOf("owner 1") }, "stopped")).toBe(0);
  });

  test("release hands back only the runs that are named, and only if the owner has them", async () => {
    await using data = await open();
    const [first, second] = [
      await start(data.engine, { owner: "owner 1" }),
      await start(data.engine, { owner: "owner 1" }),
    ];
    const other = await start(data.engine, { owner: "owner 2" });
    const runIds = [first.run.run_id, other.run.run_id];

    expect(await data.engine.release({ owner: ownerOf("owner 1"), runIds }, "stopped")).toBe(1);

    expect(await data.engine.run(first.run.run_id)).toMatchObject({ status: "queued" });
    for (const { run } of [second, other])
      expect(await data.engine.run(run.run_id)).toMatchObject({ status: "running" });
  });

  test("a new boot gets back what earlier ones of its server held, not its own runs, nor another server's", async () => {
    await using data = await open();
    const before = [await start(data.engine, { owner: "owner 1" }), await start(data.engine, { owner: "owner 2" })];
    const [mine, foreign] = [await enqueue(data.engine), await enqueue(data.engine)];
    for (const owner of [
      { ...ownerOf("owner 1"), boot: "boot 2" },
      { ...ownerOf("owner 1"), machine: "machine 11" },
    ])
      await data.engine.claim({ owner, limit: 1, leaseMs: LEASE_MS });
    const queued = await enqueue(data.engine);

    expect(await data.engine.release({ machine: "machine 1", exceptBoot: "boot 2" }, "gone")).toBe(2);

    for (const { run } of before) expect(await data.engine.run(run.run_id)).toMatchObject({ status: "queued" });
    for (const run of [mine, foreign])
      expect(await data.engine.run(run.run_id)).toMatchObject({ status: "running", attempts: 1 });
    expect(await typesOf(data.engine, queued.run_id)).toEqual(["RUN_STARTED", "evenkeel.queued"]);
    // Nobody knows how long the earlier boots worked before they ended.
    const again = await data.engine.claim({ owner: ownerOf("owner 1"), limit: 2, leaseMs: LEASE_MS });
    expect(again.map(({ run, spentMs }) => [run.run_id, spentMs])).toEqual(before.map(({ run }) => [run.run_id, 0]));
  });

  test("a released run goes on from its last step, before runs that came later", async () => {
    await using data = await open();
    const first = await start(data.engine);
    await enqueue(data.engine);
    await data.engine.append(stepOf(first, { messages: [{ role: "assistant", content: "half" }], steps: 1 }));
    await data.engine.release({ owner: ownerOf("owner 1") }, "stopped");

    const second = await claimNext(data.engine, { owner: "owner 2" });

    expect(second.run).toMatchObject({ run_id: first.run.run_id, steps: 1, attempts: 2 });
    expect(second.run.started_at).toBe(first.run.started_at);
    expect(await data.engine.run(first.run.run_id)).toEqual(second.run);
    expect(second.fence).toBeGreaterThan(first.fence);
    expect(await data.engine.history(second.run.run_id)).toMatchObject([
      { messages: [{ content: "hello" }, { content: "half" }] },
    ]);
  });

  test("a released run keeps its place at the head of its thread", async () => {
    await using data = await open();
    const first = await start(data.engine, { threadId: "thread" });
    await enqueue(data.engine, { threadId: "thread" });
    await data.engine.release({ owner: ownerOf("owner 1") }, "crashed");

    const claims = await data.engine.claim({ owner: ownerOf("owner 2"), limit: 10, leaseMs: LEASE_MS });

    expect(claims.map(({ run }) => run.run_id)).toEqual([first.run.run_id]);
  });
}

function testOpenEvents(open: OpenEngine): void {
  const opened: RunEvent[] = [
    { type: "STEP_STARTED", stepName: "model call 1" },
    { type: "TEXT_MESSAGE_START", messageId: "msg_done" },
    { type: "TEXT_MESSAGE_END", messageId: "msg_done" },
    { type: "TOOL_CALL_START", toolCallId: "call_done", toolCallName: "clock" },
    { type: "TOOL_CALL_END", toolCallId: "call_done" },
    { type: "REASONING_START", messageId: "msg_think" },
    { type: "REASONING_MESSAGE_START", messageId: "msg_think", role: "reasoning" },
    { type: "TEXT_MESSAGE_START", messageId: "msg_half" },
    delta("ha", "msg_half"),
    { type: "TOOL_CALL_START", toolCallId: "call_half", toolCallName: "clock" },
    { type: "TOOL_CALL_ARGS", toolCallId: "call_half", delta: "{" },
  ];
  const closed = [
    { type: "TOOL_CALL_END", toolCallId: "call_half" },
    { type: "TEXT_MESSAGE_END", messageId: "msg_half" },
    { type: "REASONING_MESSAGE_END", messageId: "msg_think" },
    { type: "REASONING_END", messageId: "msg_think" },
    { type: "STEP_FINISHED", stepName: "model call 1" },
  ];

  test("what a dead owner left open is closed before evenkeel.attempt, which names what is void", async () => {
    await using data = await open();
    const claim = await start(data.engine);
    await data.engine.append(stepOf(claim, { events: opened }));

    await data.engine.release({ owner: ownerOf("owner 1") }, "crashed");

    const tail = (await journalOf(data.engine, claim.run.run_id)).slice(-6);
    expect(tail.slice(0, -1)).toMatchObject(closed);
    expect(tail.at(-1)).toMatchObject({ name: "evenkeel.attempt", value: { of: "run", attempt: 2 } });
    // The items that were closed already are void too: their model call never finished, so it is made again.
    expect(voidOf(tail.at(-1)).toSorted()).toEqual(["call_done", "call_half", "msg_done", "msg_half", "msg_think"]);
  });

  test("what is open when a lease runs out is closed before the next owner begins", async () => {
    await using data = await open();
    await enqueue(data.engine);
    const claim = await claimNext(data.engine, { leaseMs: 1 });
    await data.engine.append(stepOf(claim, { events: [{ type: "TEXT_MESSAGE_START", messageId: "msg_half" }] }));

    await claimExpired(data.engine, { owner: "owner 2" });

    const tail = (await journalOf(data.engine, claim.run.run_id)).slice(-3);
    expect(tail).toMatchObject([
      { type: "TEXT_MESSAGE_END", messageId: "msg_half" },
      { name: "evenkeel.attempt", value: { void: ["msg_half"] } },
      { name: "evenkeel.claimed", value: { owner: "owner 2", attempt: 2 } },
    ]);
  });

  test("a second crash voids only what the second owner left open", async () => {
    await using data = await open();
    await data.engine.append(stepOf(await start(data.engine), { events: opened }));
    await data.engine.release({ owner: ownerOf("owner 1") }, "crashed");
    const second = await claimNext(data.engine, { owner: "owner 2" });
    await data.engine.append(stepOf(second, { events: [{ type: "TEXT_MESSAGE_START", messageId: "msg_new" }] }));

    await data.engine.release({ owner: ownerOf("owner 2") }, "crashed");

    const tail = (await journalOf(data.engine, second.run.run_id)).slice(-2);
    expect(tail).toMatchObject([{ type: "TEXT_MESSAGE_END", messageId: "msg_new" }, { name: "evenkeel.attempt" }]);
    expect(voidOf(tail.at(-1))).toEqual(["msg_new"]);
  });

  test("an owner that left nothing open voids nothing", async () => {
    await using data = await open();
    const { run } = await start(data.engine);

    await data.engine.release({ owner: ownerOf("owner 1") }, "stopped");

    expect(voidOf((await journalOf(data.engine, run.run_id)).at(-1))).toEqual([]);
  });

  test("what is open is closed before the end of a run that is given up", async () => {
    await using data = await open();
    await enqueue(data.engine);
    await crash(data.engine, 2);
    const last = await claimNext(data.engine);
    const events: RunEvent[] = [{ type: "TEXT_MESSAGE_START", messageId: "msg_half" }];
    await data.engine.append(stepOf(last, { events, toolCalls: [CALL] }));

    await data.engine.release({ owner: ownerOf("owner 1") }, "crashed");

    const tail = (await journalOf(data.engine, last.run.run_id)).slice(-2);
    expect(tail).toMatchObject([{ type: "TEXT_MESSAGE_END", messageId: "msg_half" }, { type: "RUN_ERROR" }]);
  });
}

function testPoison(open: OpenEngine): void {
  test("the third crash in a row in the middle of its tool fails a run as POISONED", async () => {
    await using data = await open();
    const run = await enqueue(data.engine);

    await crash(data.engine, 2);
    expect(await data.engine.run(run.run_id)).toMatchObject({ status: "queued", error: null });
    await crash(data.engine, 1);

    expect(await data.engine.run(run.run_id)).toMatchObject({ status: "failed", error: { code: "POISONED" } });
    expect((await journalOf(data.engine, run.run_id)).at(-1)).toMatchObject({ type: "RUN_ERROR", code: "POISONED" });
    expect(await data.engine.claim({ owner: ownerOf("owner 1"), limit: 10, leaseMs: LEASE_MS })).toEqual([]);
  });

  test.each([
    ["only streams", []],
    ["has a tool that can hurt nobody under way", [{ ...CALL, contained: true }]],
    ["has finished its tools", [{ ...CALL, result: { content: "done", isError: false } }]],
  ])("a run that %s is never given up, however often its process dies", async (_what, toolCalls) => {
    await using data = await open();
    const run = await enqueue(data.engine);

    for (let deaths = 0; deaths < 12; deaths += 1) {
      await data.engine.append(stepOf(await claimNext(data.engine), { toolCalls }));
      await data.engine.release({ owner: ownerOf("owner 1") }, deaths % 2 === 0 ? "crashed" : "gone");
    }

    expect(await data.engine.run(run.run_id)).toMatchObject({ status: "queued" });
    expect(await claimNext(data.engine)).toMatchObject({ trialMs: 0 });
  });

  test("of the tools under way when a process died, a call of an earlier owner is none", async () => {
    await using data = await open();
    const run = await enqueue(data.engine);
    await crash(data.engine, 2);

    await claimNext(data.engine);
    await data.engine.release({ owner: ownerOf("owner 1") }, "crashed");

    expect(await data.engine.run(run.run_id)).toMatchObject({ status: "queued" });
  });

  test.each([
    ["a finished step", { steps: 1 }],
    [
      "a tool's result",
      { toolCalls: [{ ...CALL, toolCallId: "call_0", result: { content: "done", isError: false } }] },
    ],
  ])("%s sets the count back", async (_what, finished) => {
    await using data = await open();
    const run = await enqueue(data.engine);
    await crash(data.engine, 2);
    const claim = await claimNext(data.engine);
    expect(claim.trialMs).toBeGreaterThan(0);
    await data.engine.append(stepOf(claim, finished));
    await data.engine.release({ owner: ownerOf("owner 1") }, "crashed");

    await crash(data.engine, 2);

    expect(await data.engine.run(run.run_id)).toMatchObject({ status: "queued" });
  });

  test("a run that kills its process is given up only when its tool ran alone; its neighbour continues", async () => {
    await using data = await open();
    const [killer, neighbour] = [await enqueue(data.engine), await enqueue(data.engine)];
    for (let crashes = 0; crashes < 5; crashes += 1) {
      const claims = await data.engine.claim({ owner: ownerOf("owner 1"), limit: 10, leaseMs: LEASE_MS });
      for (const claim of claims) await data.engine.append(stepOf(claim, { toolCalls: [CALL] }));
      await data.engine.release({ owner: ownerOf("owner 1") }, "crashed");
    }
    const both = [killer, neighbour].map(({ run_id }) => data.engine.run(run_id));
    expect(await Promise.all(both)).toMatchObject([{ status: "queued" }, { status: "queued" }]);

    await crash(data.engine, 1);

    expect(await data.engine.run(killer.run_id)).toMatchObject({ status: "failed", error: { code: "POISONED" } });
    expect(await data.engine.run(neighbour.run_id)).toMatchObject({ status: "queued" });
  });

  test("a run whose process vanishes in the middle of a tool is given up at the tenth time in a row", async () => {
    await using data = await open();
    const run = await enqueue(data.engine);
    for (let losses = 1; losses <= 9; losses += 1) {
      const lost = await claimExpired(data.engine, { leaseMs: 1 });
      await data.engine.append(stepOf(lost, { toolCalls: [CALL] }));
    }
    await claimExpired(data.engine);
    expect(await data.engine.run(run.run_id)).toMatchObject({ status: "running", attempts: 10 });
    await data.engine.append({ runId: run.run_id, fence: 10, events: [], toolCalls: [CALL] });

    await data.engine.release({ machine: "machine 1", exceptBoot: "boot 2" }, "gone");

    expect(await data.engine.run(run.run_id)).toMatchObject({ status: "failed", error: { code: "POISONED" } });
  });

  test("a graceful release never poisons, and does not make up for crashes", async () => {
    await using data = await open();
    const run = await enqueue(data.engine);
    await crash(data.engine, 2);
    for (let drains = 0; drains < 5; drains += 1) {
      await data.engine.append(stepOf(await claimNext(data.engine), { toolCalls: [CALL] }));
      await data.engine.release({ owner: ownerOf("owner 1") }, "stopped");
    }
    expect(await data.engine.run(run.run_id)).toMatchObject({ status: "queued" });

    await crash(data.engine, 1);

    expect(await data.engine.run(run.run_id)).toMatchObject({ status: "failed", error: { code: "POISONED" } });
  });

  test("a poisoned run lets the next of its thread through, and harms no other run", async () => {
    await using data = await open();
    await enqueue(data.engine, { threadId: "thread" });
    const next = await enqueue(data.engine, { threadId: "thread" });
    await crash(data.engine, 3);

    const claim = await claimNext(data.engine);

    expect(claim.run.run_id).toBe(next.run_id);
    await complete(data.engine, claim);
    expect(await data.engine.run(next.run_id)).toMatchObject({ status: "completed" });
  });
}

const CALL: ToolCall = { stepsBefore: 0, toolCallId: "call_1", name: "killer", effects: "pure", result: null };

/** The process of the first run dies in the middle of its tool, `times` times. */
async function crash(engine: Engine, times: number): Promise<void> {
  for (let crashes = 0; crashes < times; crashes += 1) {
    await engine.append(stepOf(await claimNext(engine, { owner: "owner 1" }), { toolCalls: [CALL] }));
    await engine.release({ owner: ownerOf("owner 1") }, "crashed");
  }
}

function voidOf(event: ReadEvent | undefined): string[] {
  const value = event?.["value"] as { void: string[] } | undefined;
  return value?.void.toSorted() ?? ["no attempt"];
}
