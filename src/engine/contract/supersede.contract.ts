/** A turn of a thread that a new run replaces: its answer is asked for again, or its message is edited. */
import { expect, test } from "vitest";
import type { Engine } from "../engine.ts";
import { claimNext, complete, enqueue, start, type OpenEngine, threadOf } from "./setup.ts";

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
    await Promise.all([ask("first"), ask("at once")]);
    expect(await saidTo("at once")).toEqual(["earlier", "first", "at once"]);

    await ask("edited", { supersedes: { runId: "first" } });
    await ask("again", { supersedes: { runId: "edited" } });
    await ask("next");
    expect(await saidTo("next")).toEqual(["earlier", "again", "next"]);
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
