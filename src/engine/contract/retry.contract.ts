/** A run that failed or was canceled, and the run that continues it. */
import { expect, onTestFinished, test, vi } from "vitest";
import type { Message } from "../../core/message.ts";
import type { Claim, Engine, ToolCall } from "../engine.ts";
import { claimNext, complete, enqueue, start, stepOf, type OpenEngine, threadOf } from "./setup.ts";

const USE: Message = {
  role: "assistant",
  content: [
    { type: "tool_use", id: "done", name: "clock", input: {} },
    { type: "tool_use", id: "under way", name: "pay", input: {} },
  ],
};
const CUT: Message = { role: "assistant", content: [{ type: "text", text: "I was about" }], cut: "error" };

const call = (id: string, fields: Partial<ToolCall> = {}): ToolCall => ({
  stepsBefore: 1,
  toolCallId: id,
  name: "clock",
  effects: "unsafe",
  result: null,
  ...fields,
});

export function testRetry(open: OpenEngine): void {
  test("a retry is a new run of the same thread that goes on with what the failed one left", async () => {
    await using data = await open();
    const asked = { instructions: "be brief", background: true } as const;
    const failed = await failedRun(data.engine, { metadata: { a: 1 }, timeoutMs: 5_000, message: "go", asked });

    const retry = await data.engine.retry({ of: failed.run.run_id, runId: "again" });

    const { thread_id, agent_id, principal, title } = failed.run;
    expect(retry).toMatchObject({
      created: true,
      run: {
        run_id: "again",
        retry_of: failed.run.run_id,
        status: "queued",
        steps: 0,
        attempts: 0,
        thread_id,
        agent_id,
        principal,
        title,
        timeout_ms: 5_000,
        metadata: { a: 1 },
      },
    });
    const claim = await claimNext(data.engine);
    expect(claim.run.run_id).toBe("again");
    expect(claim.asked).toEqual(asked);
    const turns = await data.engine.history("again");
    expect(turns.map(({ runId, retried, messages }) => [runId, retried, messages])).toEqual([
      [failed.run.run_id, true, [{ role: "user", content: "go" }, USE, CUT]],
      ["again", undefined, [{ role: "user", content: "go" }, USE]],
    ]);
  });

  test("the ledger of the calls that have no result yet goes with it", async () => {
    await using data = await open();
    const failed = await failedRun(data.engine);

    await data.engine.retry({ of: failed.run.run_id, runId: "again" });

    expect(await data.engine.toolCalls("again")).toEqual([
      call("done", { stepsBefore: 0, result: { content: "noon", isError: false } }),
      call("under way", { stepsBefore: 0 }),
    ]);
  });

  test("the retry of an ephemeral run is ephemeral: no list shows its thread", async () => {
    await using data = await open();
    const failed = await failedRun(data.engine, { ephemeral: true });

    await data.engine.retry({ of: failed.run.run_id, runId: "again" });

    expect((await data.engine.threads({ limit: 10 })).items).toEqual([]);
  });

  test("a retry is news of its thread", async () => {
    await using data = await open();
    await failedRun(data.engine, { threadId: "thread" });
    vi.useFakeTimers({ toFake: ["Date"] });
    onTestFinished(() => void vi.useRealTimers());
    vi.setSystemTime(Date.now() + 60_000);
    const { items } = await data.engine.runs({ limit: 1 });

    await data.engine.retry({ of: items[0]?.run_id ?? "", runId: "again" });

    expect((await data.engine.thread("thread"))?.updated_at).toBe(Date.now());
  });

  test("a run whose place was taken is not retried", async () => {
    await using data = await open();
    const failed = await failedRun(data.engine, { threadId: "thread" });
    await enqueue(data.engine, { threadId: "thread", supersedes: { runId: failed.run.run_id } });

    await expect(data.engine.retry({ of: failed.run.run_id, runId: "again" })).rejects.toMatchObject({
      code: "NOT_RETRYABLE",
      message: expect.stringContaining("superseded"),
    });
  });

  test("readers see the messages of both runs, and which of them the model sees", async () => {
    await using data = await open();
    const failed = await failedRun(data.engine, { threadId: "thread" });
    await data.engine.retry({ of: failed.run.run_id, runId: "again" });

    const messages = (await threadOf(data.engine, "thread"))?.messages ?? [];

    expect(messages.map(({ run_id, why }) => [run_id, why])).toEqual([
      ...[0, 1, 2].map(() => [failed.run.run_id, "retried"]),
      ["again", undefined],
      ["again", undefined],
    ]);
  });

  test("a run has one retry, whichever process is asked; a failed retry can be retried itself", async () => {
    await using data = await open();
    const failed = await failedRun(data.engine);
    await data.engine.retry({ of: failed.run.run_id, runId: "again" });

    const repeat = await (await data.another()).retry({ of: failed.run.run_id, runId: "another" });
    expect(repeat).toMatchObject({ created: false, run: { run_id: "again" } });
    const claim = await claimNext(data.engine);
    await fail(data.engine, claim);

    expect(await data.engine.retry({ of: "again", runId: "third" })).toMatchObject({
      created: true,
      run: { retry_of: "again" },
    });
  });

  test("a run that was canceled before it began can be retried", async () => {
    await using data = await open();
    const { run_id: of } = await enqueue(data.engine, { message: "after all" });
    await data.engine.cancel(of);

    await data.engine.retry({ of, runId: "again" });

    const turns = await data.engine.history((await claimNext(data.engine)).run.run_id);
    expect(turns.at(-1)?.messages).toEqual([{ role: "user", content: "after all" }]);
  });

  test("a run that is under way, completed or delegated is not retried; an unknown run is undefined", async () => {
    await using data = await open();
    const claim = await start(data.engine);
    const child = await enqueue(data.engine, { parentRunId: claim.run.run_id });
    await data.engine.cancel(child.run_id);

    const refused = { code: "NOT_RETRYABLE" };
    await expect(data.engine.retry({ of: claim.run.run_id, runId: "a" })).rejects.toMatchObject(refused);
    await expect(data.engine.retry({ of: child.run_id, runId: "b" })).rejects.toMatchObject(refused);
    await complete(data.engine, claim);
    await expect(data.engine.retry({ of: claim.run.run_id, runId: "c" })).rejects.toMatchObject(refused);
    expect(await data.engine.retry({ of: "nobody", runId: "d" })).toBeUndefined();
  });

  test("a retry waits behind a run of its thread that is under way", async () => {
    await using data = await open();
    const failed = await failedRun(data.engine, { threadId: "thread" });
    const other = await start(data.engine, { threadId: "thread" });

    await data.engine.retry({ of: failed.run.run_id, runId: "again" });

    await expect(claimNext(data.engine)).rejects.toThrow("nothing to claim");
    await complete(data.engine, other);
    expect((await claimNext(data.engine)).run.run_id).toBe("again");
  });
}

/** A run that failed in the middle of a sentence, after its first round of tools. */
async function failedRun(engine: Engine, overrides: Parameters<typeof start>[1] = {}): Promise<Claim> {
  const claim = await start(engine, overrides);
  await engine.append(stepOf(claim, { messages: [USE], steps: 1 }));
  const result = { content: "noon", isError: false };
  await engine.append(stepOf(claim, { toolCalls: [call("done", { result }), call("under way")] }));
  await fail(engine, claim, [CUT]);
  return claim;
}

async function fail(engine: Engine, claim: Claim, messages: readonly Message[] = []): Promise<void> {
  const error = { code: "MODEL_UNAVAILABLE", detail: "no answer" } as const;
  await engine.settle(stepOf(claim, { messages }), { status: "failed", error });
}
