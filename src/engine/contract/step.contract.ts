/** Writes under a claim: a step is written whole or not at all, fenced and numbered, and a run ends once. */
import { expect, test } from "vitest";
import { isTerminal, type RunEvent } from "../../core/event.ts";
import type { Outcome, Usage } from "../../core/run.ts";
import type { Claim, Engine, Step, ToolCall } from "../engine.ts";
import {
  claimNext,
  complete,
  delta,
  enqueue,
  journalOf,
  numbersTo,
  start,
  stepOf,
  typesOf,
  type OpenEngine,
  ownerOf,
  claimExpired,
  threadOf,
} from "./setup.ts";

const USAGE: Usage = {
  input_tokens: 10,
  output_tokens: 20,
  cache_read_input_tokens: 3,
  cache_creation_input_tokens: 4,
};

/** The result of every kind of write under a claim that is gone. */
const REFUSED = { append: "LEASE_LOST" as unknown, settle: "LEASE_LOST" as unknown, changed: false };

const ENDS: Outcome[] = [
  { status: "completed", reply: "done" },
  { status: "failed", error: { code: "MODEL_UNAVAILABLE", detail: "no answer" } },
  { status: "canceled" },
];

export function testStep(open: OpenEngine): void {
  testWhole(open);
  testCancelAnswer(open);
  testNumbers(open);
  testFence(open);
  testEnd(open);
  testLedger(open);
}

function testWhole(open: OpenEngine): void {
  test("a step commits its events, messages, tool ledger and progress together", async () => {
    await using data = await open();
    const claim = await start(data.engine);
    const call: ToolCall = { stepsBefore: 1, toolCallId: "call_1", name: "clock", effects: "pure", result: null };

    await data.engine.append(
      stepOf(claim, {
        events: [delta("a"), delta("b")],
        messages: [{ role: "assistant", content: [{ type: "text", text: "ab" }] }],
        toolCalls: [call],
        usage: USAGE,
        steps: 2,
      }),
    );

    const other = await data.another();
    const { run_id: runId, thread_id: threadId } = claim.run;
    expect((await journalOf(other, runId)).slice(-2)).toMatchObject([delta("a"), delta("b")]);
    expect((await threadOf(other, threadId))?.messages.at(-1)).toMatchObject({
      content: [{ type: "text", text: "ab" }],
    });
    expect(await other.toolCalls(runId)).toEqual([call]);
    expect(await other.run(runId)).toMatchObject({ status: "running", usage: USAGE, steps: 2 });
  });

  test("what a step says nothing of, usage or steps, stays as it was", async () => {
    await using data = await open();
    const claim = await start(data.engine);
    await data.engine.append(stepOf(claim, { usage: USAGE, steps: 2 }));

    await data.engine.append(stepOf(claim, { events: [delta("a")] }));
    expect(await data.engine.run(claim.run.run_id)).toMatchObject({ usage: USAGE, steps: 2 });
    await data.engine.append(stepOf(claim, { steps: 3 }));
    expect(await data.engine.run(claim.run.run_id)).toMatchObject({ usage: USAGE, steps: 3 });
    await data.engine.append(stepOf(claim, { usage: { ...USAGE, output_tokens: 21 } }));
    expect(await data.engine.run(claim.run.run_id)).toMatchObject({ usage: { output_tokens: 21 }, steps: 3 });
  });

  test("a step that breaks half way leaves nothing of itself and takes no other step down", async () => {
    await using data = await open();
    const [before, broken, after] = [await start(data.engine), await start(data.engine), await start(data.engine)];

    const results = await Promise.allSettled([
      data.engine.append(stepOf(before, { events: [delta("before")] })),
      data.engine.append(stepOf(broken, { events: [delta("lost"), unstorable()], steps: 9 })),
      data.engine.append(stepOf(after, { events: [delta("after")] })),
    ]);

    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect((await journalOf(data.engine, before.run.run_id)).at(-1)).toMatchObject(delta("before"));
    expect((await journalOf(data.engine, after.run.run_id)).at(-1)).toMatchObject(delta("after"));
    expect(await typesOf(data.engine, broken.run.run_id)).not.toContain("TEXT_MESSAGE_CONTENT");
    expect(await data.engine.run(broken.run.run_id)).toEqual(broken.run);
  });

  test("a settle that breaks half way does not end the run", async () => {
    await using data = await open();
    const claim = await start(data.engine);

    const broken = data.engine.settle(stepOf(claim, { events: [delta("lost"), unstorable()] }), { status: "canceled" });

    await expect(broken).rejects.toThrow(/circular/);
    expect(await data.engine.run(claim.run.run_id)).toEqual(claim.run);
    await complete(data.engine, claim);
  });

  test("a stale step in the same moment takes no good step down", async () => {
    await using data = await open();
    const [good, stale] = [await start(data.engine), await start(data.engine)];
    await complete(data.engine, stale);

    const results = await Promise.allSettled([
      data.engine.append(stepOf(stale, { events: [delta("late")] })),
      data.engine.append(stepOf(good, { events: [delta("good")] })),
    ]);

    expect(results.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
    expect((await journalOf(data.engine, good.run.run_id)).at(-1)).toMatchObject(delta("good"));
  });
}

function testCancelAnswer(open: OpenEngine): void {
  test("an append and an extend answer whether the run is to be canceled", async () => {
    await using data = await open();
    const claim = await start(data.engine);
    const ask = async () => [
      await data.engine.append(stepOf(claim, { events: [delta("a")] })),
      (await data.engine.extend({ owner: ownerOf("owner 1"), runIds: [claim.run.run_id], leaseMs: 60_000 })).get(
        claim.run.run_id,
      ),
    ];

    expect(await ask()).toEqual([{ cancelRequested: false }, { cancelRequested: false }]);
    await data.engine.cancel(claim.run.run_id);

    expect(await ask()).toEqual([{ cancelRequested: true }, { cancelRequested: true }]);
  });
}

function testNumbers(open: OpenEngine): void {
  test("a journal is numbered 1 to n without a hole, over steps, owners and handles", async () => {
    await using data = await open();
    const other = await data.another();
    const first = await start(data.engine);
    for (const size of [1, 0, 3, 2]) await data.engine.append(stepOf(first, { events: deltas(size) }));
    await Promise.all([1, 4, 2].map((size) => data.engine.append(stepOf(first, { events: deltas(size) }))));
    await other.release({ owner: ownerOf("owner 1") }, "crashed");
    const second = await claimNext(other, { owner: "owner 2" });
    await Promise.all([3, 1].map((size) => other.append(stepOf(second, { events: deltas(size) }))));
    await complete(other, second);

    const rows = await data.engine.events(first.run.run_id, 0, { limit: 1_000 });

    expect(rows.map(({ seq }) => seq)).toEqual(numbersTo(rows.length));
    expect(rows.filter(({ type }) => type === "TEXT_MESSAGE_CONTENT")).toHaveLength(17);
  });

  test("steps that one owner appends without waiting stay in order", async () => {
    await using data = await open();
    const claim = await start(data.engine);
    const texts = numbersTo(50).map(String);

    await Promise.all(texts.map((text) => data.engine.append(stepOf(claim, { events: [delta(text)] }))));

    const journal = await journalOf(data.engine, claim.run.run_id);
    expect(journal.slice(-50).map((event) => event["delta"])).toEqual(texts);
  });

  test("a journal row is the event as JSON, with its seq, its type and the time inside", async () => {
    await using data = await open();
    const before = Date.now();
    const claim = await start(data.engine);
    const text = 'quotes " and \\, \u0000, \u2028, 😀, lone \ud800';
    await data.engine.append(stepOf(claim, { events: [delta(text)] }));

    const row = (await data.engine.events(claim.run.run_id, 0, { limit: 1_000 })).at(-1);
    const event = JSON.parse(row?.data ?? "") as { timestamp: number };

    expect(event).toEqual({ ...delta(text), seq: 4, timestamp: expect.any(Number) });
    expect(row).toMatchObject({ seq: 4, type: "TEXT_MESSAGE_CONTENT" });
    expect(event.timestamp).toBeGreaterThanOrEqual(before);
    expect(event.timestamp).toBeLessThanOrEqual(Date.now());
  });
}

function testFence(open: OpenEngine): void {
  test("an owner whose run was released writes nothing more: LEASE_LOST", async () => {
    await using data = await open();
    const claim = await start(data.engine);
    await data.engine.release({ owner: ownerOf("owner 1") }, "stopped");

    expect(await writeLate(data.engine, claim)).toEqual(REFUSED);
  });

  test("an owner whose run was released and claimed again writes nothing more, even under its own name", async () => {
    await using data = await open();
    const claim = await start(data.engine);
    await data.engine.release({ owner: ownerOf("owner 1") }, "stopped");
    await claimNext(data.engine, { owner: "owner 1" });

    expect(await writeLate(data.engine, claim)).toEqual(REFUSED);
  });

  test("an owner whose lease ran out writes nothing more once another took the run", async () => {
    await using data = await open();
    await enqueue(data.engine);
    const claim = await claimNext(data.engine, { leaseMs: 1 });
    const other = await data.another();
    await claimExpired(other, { owner: "owner 2" });

    expect(await writeLate(data.engine, claim)).toEqual(REFUSED);
  });

  test.each(ENDS)("an owner whose run is $status writes nothing more", async (outcome) => {
    await using data = await open();
    const claim = await start(data.engine);
    await data.engine.settle(stepOf(claim), outcome);

    expect(await writeLate(data.engine, claim)).toEqual(REFUSED);
  });
}

function testEnd(open: OpenEngine): void {
  const terminal = [
    { type: "RUN_FINISHED", outcome: { type: "success" }, result: { reply: "done" } },
    { type: "RUN_ERROR", code: "MODEL_UNAVAILABLE", message: "no answer" },
    { type: "RUN_FINISHED", outcome: { type: "cancelled" } },
  ];
  test.each(ENDS.map((outcome, index) => ({ outcome, expected: terminal[index] })))(
    "a run that is $outcome.status ends in one terminal event, after its last step",
    async ({ outcome, expected }) => {
      await using data = await open();
      const claim = await start(data.engine);
      const last: Partial<Step> = { events: [delta("last")], messages: [{ role: "assistant", content: "last" }] };
      await data.engine.settle(stepOf(claim, { ...last, usage: USAGE, steps: 1 }), outcome);

      const journal = await journalOf(data.engine, claim.run.run_id);
      expect(journal.filter(({ type }) => isTerminal(type as RunEvent["type"]))).toHaveLength(1);
      expect(journal.slice(-2)).toMatchObject([delta("last"), { ...expected, usage: [{ outputTokens: 20 }] }]);
      expect(await data.engine.run(claim.run.run_id)).toMatchObject({
        ...("reply" in outcome ? { reply: outcome.reply, error: null } : { reply: null }),
        ...("error" in outcome ? { error: outcome.error } : { error: null }),
        status: outcome.status,
        steps: 1,
        usage: USAGE,
        finished_at: expect.any(Number),
      });
    },
  );

  test("a reply comes back as it was given, whatever is in it", async () => {
    await using data = await open();
    const replies = ["", 'NUL \u0000, " and \\, 😀', "x".repeat(1_000_000)];

    for (const reply of replies) {
      const claim = await start(data.engine, { message: reply });
      await complete(data.engine, claim, reply);
      expect((await data.engine.run(claim.run.run_id))?.reply).toBe(reply);
      expect((await data.engine.history(claim.run.run_id))[0]?.messages[0]?.content).toBe(reply);
    }
  });

  test("of two settles at once one ends the run and the other is LEASE_LOST", async () => {
    await using data = await open();
    const claim = await start(data.engine);
    const other = await data.another();

    const results = await Promise.allSettled([
      data.engine.settle(stepOf(claim), { status: "completed", reply: "one" }),
      other.settle(stepOf(claim), { status: "canceled" }),
    ]);

    expect(results.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    expect(await terminalCount(data.engine, claim)).toBe(1);
  });

  test("nothing follows the terminal event: not a cancel, not a release, not a new boot", async () => {
    await using data = await open();
    const claim = await start(data.engine);
    await complete(data.engine, claim);
    const journal = await journalOf(data.engine, claim.run.run_id);
    const run = await data.engine.run(claim.run.run_id);

    await data.engine.cancel(claim.run.run_id);
    await data.engine.release({ owner: ownerOf("owner 1") }, "crashed");
    await data.engine.release({ machine: "machine 1", exceptBoot: "boot 2" }, "crashed");

    expect(await journalOf(data.engine, claim.run.run_id)).toEqual(journal);
    expect(await data.engine.run(claim.run.run_id)).toEqual(run);
  });
}

function testLedger(open: OpenEngine): void {
  const started: ToolCall = {
    stepsBefore: 1,
    toolCallId: "call_1",
    name: "send_mail",
    effects: "unsafe",
    result: null,
  };

  test("a tool call is in the ledger from its start, and its result is added to it", async () => {
    await using data = await open();
    const claim = await start(data.engine);
    const finished: ToolCall = { ...started, result: { content: "sent", isError: false } };

    await data.engine.append(stepOf(claim, { toolCalls: [started] }));
    expect(await data.engine.toolCalls(claim.run.run_id)).toEqual([started]);
    await data.engine.append(stepOf(claim, { toolCalls: [finished] }));
    expect(await data.engine.toolCalls(claim.run.run_id)).toEqual([finished]);
  });

  test("calls of two steps are two, although they have the same id", async () => {
    await using data = await open();
    const claim = await start(data.engine);
    const finished: ToolCall = { ...started, result: { content: "sent", isError: false } };
    const later: ToolCall = { ...started, stepsBefore: started.stepsBefore + 2 };

    await data.engine.append(stepOf(claim, { toolCalls: [finished] }));
    await data.engine.append(stepOf(claim, { toolCalls: [later] }));

    expect(await data.engine.toolCalls(claim.run.run_id)).toEqual([finished, later]);
  });

  test("the ledger outlives its owner, and belongs to one run", async () => {
    await using data = await open();
    const claim = await start(data.engine);
    await data.engine.append(stepOf(claim, { toolCalls: [started, { ...started, toolCallId: "call_2" }] }));
    await data.engine.release({ owner: ownerOf("owner 1") }, "crashed");
    const next = await claimNext(await data.another(), { owner: "owner 2" });
    const stranger = await start(data.engine);

    const calls = await data.engine.toolCalls(next.run.run_id);

    expect(calls.map(({ toolCallId }) => toolCallId).toSorted()).toEqual(["call_1", "call_2"]);
    expect(await data.engine.toolCalls(stranger.run.run_id)).toEqual([]);
  });
}

/** Tries every write under a claim that is gone. Returns how each of them failed, and whether anything changed. */
async function writeLate(engine: Engine, claim: Claim): Promise<typeof REFUSED> {
  const before = await everythingOf(engine, claim);
  const step = stepOf(claim, {
    events: [delta("late")],
    messages: [{ role: "assistant", content: "late" }],
    toolCalls: [{ stepsBefore: 1, toolCallId: "late", name: "clock", effects: "pure", result: null }],
    usage: USAGE,
    steps: 99,
  });
  const append = await codeOf(engine.append(step));
  const settle = await codeOf(engine.settle(step, { status: "completed", reply: "late" }));
  return { append, settle, changed: (await everythingOf(engine, claim)) !== before };
}

async function codeOf(write: Promise<unknown>): Promise<unknown> {
  try {
    await write;
    return "written";
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
}

async function everythingOf(engine: Engine, { run: { run_id: runId, thread_id: threadId } }: Claim): Promise<string> {
  const parts = [engine.run(runId), journalOf(engine, runId), threadOf(engine, threadId), engine.toolCalls(runId)];
  return JSON.stringify(await Promise.all<unknown>([...parts, engine.lastActivity()]));
}

async function terminalCount(engine: Engine, { run }: Claim): Promise<number> {
  const rows = await engine.events(run.run_id, 0, { limit: 1_000 });
  return rows.filter(({ type }) => isTerminal(type)).length;
}

function deltas(count: number): RunEvent[] {
  return numbersTo(count).map((number) => delta(String(number)));
}

/** An event that no storage can take, because it cannot be written as JSON. */
function unstorable(): RunEvent {
  const value: Record<string, unknown> = {};
  value["itself"] = value;
  return { type: "CUSTOM", name: "unstorable", value };
}
