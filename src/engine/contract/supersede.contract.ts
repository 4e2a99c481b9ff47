/** A turn of a thread that a new run replaces: its answer is asked for again, or its message is edited. */
import { expect, test } from "vitest";
import type { Outcome } from "../../core/run.ts";
import type { Engine } from "../engine.ts";
import { unsentTurn } from "../rules/unsent.ts";
import { claimNext, complete, enqueue, start, stepOf, type OpenEngine, threadOf } from "./setup.ts";

const threadId = "thread";

export function testSupersede(open: OpenEngine): void {
  test("a turn and all behind it leave what the model sees, and can still be read", async () => {
    await using data = await open();
    await threeTurns(data.engine);

    await enqueue(data.engine, { runId: "new", threadId, message: "again", supersedes: { runId: "second" } });

    const turns = await data.engine.history("new");
    expect(turns.map(({ runId, superseded }) => [runId, superseded])).toEqual([
      ["first", undefined],
      ["second", true],
      ["third", true],
      ["new", undefined],
    ]);
    const messages = (await threadOf(data.engine, threadId))?.messages ?? [];
    expect(messages.map(({ run_id, sent, why }) => [run_id, sent, why])).toEqual([
      ["first", undefined, undefined],
      ["second", false, "superseded"],
      ["third", false, "superseded"],
      ["new", undefined, undefined],
    ]);
  });

  test("the conversation before a thread stays when its first turn is replaced, and is stored once", async () => {
    await using data = await open();
    const before = [{ role: "user" as const, content: "earlier" }];
    const saidTo = async (runId: string) => {
      const turns = (await data.engine.history(runId)).filter(({ superseded }) => !superseded);
      return turns.flatMap(({ messages }) => messages.map(({ content }) => content));
    };

    const ask = (runId: string, more: object = {}) =>
      enqueue(data.engine, { runId, threadId, message: runId, before, ...more });
    await Promise.all([ask("one"), ask("at once")]);
    const messages = (await threadOf(data.engine, threadId))?.messages ?? [];
    // Either may be stored first.
    const [first = "", , last = ""] = messages.map(({ run_id: runId }) => runId);
    expect([first, last].toSorted()).toEqual(["at once", "one"]);
    expect(messages.map(({ content }) => content)).toEqual(["earlier", first, last]);

    await ask("edited", { supersedes: { runId: first } });
    await ask("again", { supersedes: { runId: "edited" } });
    await ask("next");
    expect(await saidTo("next")).toEqual(["earlier", "again", "next"]);
  });

  test.each<[string, (engine: Engine) => Promise<unknown>]>([
    ["refused", endsWith({ status: "completed", reply: "", finishReason: "refusal" })],
    ["rejected", endsWith({ status: "failed", error: { code: "MODEL_REJECTED", detail: "no" } })],
    ["too large", endsWith({ status: "failed", error: { code: "CONTEXT_TOO_LARGE", detail: "no" } })],
    ["withdrawn", (engine) => engine.cancel("first")],
  ])("a first turn that is %s takes nothing with it of what was said elsewhere", async (_how, end) => {
    await using data = await open();
    const elsewhere = [
      { role: "user" as const, content: "earlier" },
      { role: "assistant" as const, content: "answer" },
    ];
    await enqueue(data.engine, { runId: "first", threadId, message: "bad", before: elsewhere });
    await end(data.engine);

    // The client sends again what it shows, also the message that is not sent to the model.
    const before = [...elsewhere, { role: "user" as const, content: "bad" }];
    await enqueue(data.engine, { runId: "second", threadId, message: "good", before });
    await enqueue(data.engine, { runId: "third", threadId, message: "better", before });

    const turns = (await data.engine.history("third")).filter((turn) => unsentTurn(turn) === undefined);
    const said = turns.flatMap(({ messages }) => messages.map(({ content }) => content));
    expect(said).toEqual(["earlier", "answer", "good", "better"]);
  });

  test("by the key of its run, or the newest turn where none has that key", async () => {
    await using data = await open();
    await threeTurns(data.engine);
    const current = async () => (await data.engine.history("new")).filter(({ superseded }) => !superseded);

    await enqueue(data.engine, { runId: "none", threadId, supersedes: { key: "unknown", orNewest: false } });
    await complete(data.engine, await claimNext(data.engine));
    await enqueue(data.engine, { runId: "instead", threadId, supersedes: { key: "unknown", orNewest: true } });
    await complete(data.engine, await claimNext(data.engine));
    await enqueue(data.engine, { runId: "new", threadId, supersedes: { key: "key of third", orNewest: true } });

    expect((await current()).map(({ runId }) => runId)).toEqual(["first", "second", "new"]);
    // A key of the same name belongs to somebody else.
    const strangers = { principal: "ben", supersedes: { key: "key of second", orNewest: false } };
    await enqueue(data.engine, { runId: "last", threadId, ...strangers });
    expect((await current()).map(({ runId }) => runId)).toEqual(["first", "second", "new"]);
  });

  test("what is under way of them is canceled, and no reason to call the thread busy", async () => {
    await using data = await open();
    const running = await start(data.engine, { runId: "running", threadId });
    await enqueue(data.engine, { runId: "queued", threadId });

    const supersedes = { runId: "running" };
    await enqueue(data.engine, { runId: "new", threadId, strategy: "reject", supersedes });

    expect((await data.engine.run("queued"))?.status).toBe("canceled");
    expect(await data.engine.run("running")).toMatchObject({ status: "running", cancel_requested: true });
    await data.engine.settle({ runId: "running", fence: running.fence, events: [] }, { status: "canceled" });
    expect((await claimNext(data.engine)).run.run_id).toBe("new");
  });

  test("a request that is refused cancels and supersedes nothing", async () => {
    await using data = await open();
    await start(data.engine, { runId: "running", threadId });
    await enqueue(data.engine, { runId: "queued", threadId });

    const supersedes = { runId: "queued" };
    const asked = enqueue(data.engine, { runId: "new", threadId, strategy: "reject", supersedes });
    await expect(asked).rejects.toMatchObject({ code: "THREAD_BUSY", message: expect.stringContaining("running") });

    expect((await data.engine.run("queued"))?.status).toBe("queued");
    expect((await threadOf(data.engine, threadId))?.messages.some(({ why }) => why === "superseded")).toBe(false);
    expect(await data.engine.run("new")).toBeUndefined();
  });

  test("a run that is not in the thread is not found, and nothing changes", async () => {
    await using data = await open();
    await threeTurns(data.engine);
    await complete(data.engine, await start(data.engine, { runId: "elsewhere", threadId: "other" }));

    for (const runId of ["elsewhere", "nobody"]) {
      const asked = enqueue(data.engine, { runId: "new", threadId, supersedes: { runId } });
      await expect(asked).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
    }
    expect((await threadOf(data.engine, threadId))?.messages.some(({ why }) => why)).toBe(false);
    expect(await data.engine.run("new")).toBeUndefined();
  });
}

async function threeTurns(engine: Engine): Promise<void> {
  for (const runId of ["first", "second", "third"]) {
    const asked = { runId, threadId, message: runId, idempotencyKey: `key of ${runId}` };
    await complete(engine, await start(engine, asked));
  }
}

/** Takes the next run, which answers something and ends so. */
function endsWith(outcome: Outcome): (engine: Engine) => Promise<unknown> {
  return async (engine) => {
    const messages = [{ role: "assistant" as const, content: "cut off", model: "m" }];
    return engine.settle(stepOf(await claimNext(engine), { messages }), outcome);
  };
}
