/**
 * What a call of `delegate` does while it waits: the tool alone, against a real engine, with a child that the test
 * works on.
 */
import { setImmediate as nextTick } from "node:timers/promises";
import { expect, onTestFinished, test, vi } from "vitest";
import { defineAgents } from "../../core/agent.ts";
import { AppError } from "../../core/errors.ts";
import { claimNext, complete, start } from "../../engine/contract/setup.ts";
import type { Engine } from "../../engine/engine.ts";
import { openTemporary } from "../../engine/sqlite/test-data.ts";
import { callContext } from "../../testing/call-context.ts";
import { Parking } from "../parking.ts";
import { RunJournal } from "../run-journal.ts";
import { delegateTool } from "./delegate.ts";

const agents = defineAgents({ lead: { model: "m", delegates: ["helper"] }, helper: { model: "m" } });

/** A parent's waiting call, and the child that it waits for, claimed by the test. */
async function delegated(engine: Engine, seenBy = engine, { signal } = new AbortController()) {
  const parent = await start(engine);
  const runId = parent.run.run_id;
  const journal = new RunJournal({
    engine,
    runId,
    fence: parent.fence,
    signal,
    onCanceled: () => {},
    onLost: () => {},
  });
  onTestFinished(() => journal.stop());
  const agent = agents.get("lead");
  if (!agent) throw new Error("no lead");
  const tool = delegateTool({ agent, agents, engine: seenBy, journal, parking: new Parking(() => {}), asked: {} });
  const context = callContext({ signal, runId, threadId: parent.run.thread_id });
  const reply = tool.invoke({ agent_id: "helper", message: "hello" }, context);
  const child = await vi.waitUntil(() => claimNext(engine).catch(() => undefined));
  return { reply, child };
}

test("it answers as soon as the child has ended", async () => {
  await using data = await openTemporary();
  const { reply, child } = await delegated(await data.another(), data.engine);

  await complete(data.engine, child, "well done");

  expect(await reply).toEqual({ content: "well done", isError: false });
});

test("a child that is deleted in the moment of its end is told to the model, not waited for", async () => {
  vi.useFakeTimers({ toFake: ["setInterval"] });
  onTestFinished(() => void vi.useRealTimers());
  await using data = await openTemporary();
  const engine = await data.another();
  const deleted = Promise.withResolvers<void>();
  // A deletion is two commits: a reader that looks between them finds the child completed, as it was.
  const seenBy = new Proxy(engine, {
    get: (target, name) =>
      name === "run"
        ? (runId: string) => deleted.promise.then(() => target.run(runId))
        : Reflect.get(target, name).bind(target),
  });
  const { reply, child } = await delegated(engine, seenBy);

  await Promise.all([complete(data.engine, child), data.engine.deleteThread(child.run.thread_id)]);
  deleted.resolve();
  await vi.advanceTimersByTimeAsync(10_000);

  expect(await reply).toEqual({ content: expect.stringContaining("was deleted"), isError: true });
});

test("a disk that is in trouble when the child ends is waited out", async () => {
  await using data = await openTemporary();
  const trouble = vi.fn<Engine["run"]>((runId) => data.engine.run(runId));
  trouble.mockRejectedValueOnce(new AppError("STORAGE_UNAVAILABLE", "the disk is in trouble"));
  const seenBy = new Proxy(data.engine, {
    get: (engine, name) => (name === "run" ? trouble : Reflect.get(engine, name).bind(engine)),
  });
  const { reply, child } = await delegated(await data.another(), seenBy);

  await complete(data.engine, child, "well done");

  expect(await reply).toEqual({ content: "well done", isError: false });
  expect(trouble.mock.calls.length).toBeGreaterThan(1);
});

/** The engine, with a `follow` that is heard at once and resolves when the test says so. */
function slowToFollow(engine: Engine) {
  const asked = Promise.withResolvers<void>();
  const followed = Promise.withResolvers<void>();
  const stopped = vi.fn<() => void>();
  const follow: Engine["follow"] = async (...about) => {
    const follower = await engine.follow(...about);
    asked.resolve();
    await followed.promise;
    return { stop: () => (stopped(), follower.stop()) };
  };
  const seenBy = new Proxy(engine, {
    get: (target, name) => (name === "follow" ? follow : Reflect.get(target, name).bind(target)),
  });
  return { seenBy, asked: asked.promise, followed, stopped };
}

/** Notes rejections that nobody awaits: each would end the agent process with all its runs. */
function unhandled() {
  const seen = vi.fn<(reason: unknown) => void>();
  process.on("unhandledRejection", seen);
  onTestFinished(() => void process.off("unhandledRejection", seen));
  return seen;
}

test("a run that is canceled before its child is followed fails alone, and the child is followed no longer", async () => {
  const rejected = unhandled();
  await using data = await openTemporary();
  const { seenBy, asked, followed, stopped } = slowToFollow(data.engine);
  const cancel = new AbortController();
  const { reply } = await delegated(await data.another(), seenBy, cancel);
  await asked;

  cancel.abort(new Error("The run was canceled."));

  expect(await reply).toEqual({ content: "The run was canceled.", isError: true });
  await nextTick();
  followed.resolve();
  await vi.waitUntil(() => stopped.mock.calls.length === 1);
  expect(rejected).not.toHaveBeenCalled();
});

test("a child that cannot be followed is told to the model, also when its run is canceled at that moment", async () => {
  const rejected = unhandled();
  await using data = await openTemporary();
  const { seenBy, asked, followed } = slowToFollow(data.engine);
  const cancel = new AbortController();
  const { reply } = await delegated(await data.another(), seenBy, cancel);
  await asked;

  followed.reject(new Error("no such table"));
  expect(await reply).toEqual({ content: "no such table", isError: true });
  cancel.abort(new Error("The run was canceled."));

  await nextTick();
  expect(rejected).not.toHaveBeenCalled();
});
