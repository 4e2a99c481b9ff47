import { expect, test } from "vitest";
import { Evenkeel, type ClientEvent } from "../client/client.ts";
import { startCluster } from "../testing/cluster.ts";
import { RunStore } from "./run-store.ts";
import { EMPTY_RUN, withEvent, type RunView } from "./run-view.ts";
import { ThreadStore } from "./thread-store.ts";

const view = (events: readonly object[]): RunView =>
  (events as ClientEvent[]).reduce(
    (before, event, index) => withEvent(before, { ...event, seq: index + 1 }),
    EMPTY_RUN,
  );

const text = (messageId: string, delta: string) => [
  { type: "TEXT_MESSAGE_START", messageId, role: "assistant" },
  { type: "TEXT_MESSAGE_CONTENT", messageId, delta },
];

test("what an attempt makes void leaves the view", () => {
  const attempt = {
    type: "CUSTOM",
    name: "evenkeel.attempt",
    value: { of: "model_call", attempt: 2, reason: "", void: ["a"] },
  };
  const before = view(text("a", "half an ans"));
  expect(before.text).toBe("half an ans");
  expect(view([...text("a", "half an ans"), attempt, ...text("b", "answer")])).toMatchObject({
    text: "answer",
    seq: 5,
  });
});

const call = (args: string, content: string) => [
  { type: "TOOL_CALL_START", toolCallId: "1", toolCallName: "clock" },
  { type: "TOOL_CALL_ARGS", toolCallId: "1", delta: args },
  { type: "TOOL_CALL_RESULT", toolCallId: "1", messageId: "m", content },
];

test("of two calls with one id the newer one takes arguments and result", () => {
  const { parts } = view([...call("{}", "noon"), ...call('{"a":1}', "one")]);
  expect(parts).toMatchObject([
    { input: "{}", result: "noon" },
    { input: '{"a":1}', result: "one" },
  ]);
});

test("a run's end is its status, and a failure says why", () => {
  expect(view([{ type: "RUN_FINISHED", outcome: { type: "cancelled" } }]).status).toBe("canceled");
  expect(view([{ type: "RUN_FINISHED", outcome: { type: "success" } }]).status).toBe("completed");
  expect(view([{ type: "RUN_ERROR", code: "POISONED", message: "m" }])).toMatchObject({
    status: "failed",
    error: { code: "POISONED", message: "m" },
  });
});

test("a store reads while it is watched, goes on where it was, and ends with the run", async () => {
  await using cluster = await startCluster();
  const client = new Evenkeel({ baseUrl: `http://127.0.0.1:${cluster.port}` });
  const { run_id: runId } = await client.begin({ agent_id: "assistant", message: "/sim tokens=60 rate=60" });
  const afters: number[] = [];
  const store = new RunStore((signal, after) => {
    afters.push(after);
    return client.follow(runId, { signal, after });
  });
  await until(store, () => store.get().text.includes("tok9"));
  await until(store, () => store.get().status === "completed");
  expect(afters).toHaveLength(2);
  expect(afters[1]).toBeGreaterThan(0);
  expect(store.get().text).toBe((await client.run(runId)).reply);
});

test("a thread shows its messages and the run under way, and leaves out what was superseded", async () => {
  await using cluster = await startCluster();
  const client = new Evenkeel({ baseUrl: `http://127.0.0.1:${cluster.port}` });
  const options = { client, threadId: "thread", agentId: "assistant" };
  const store = new ThreadStore(options);
  const said = () => store.get().messages.map(({ content }) => JSON.stringify(content));

  const leave = store.subscribe(() => {});
  await store.send('/sim text="first"');
  await until(store, () => store.get().messages.length === 2);
  const [{ run_id: runId } = { run_id: "" }] = store.get().messages;
  await store.send('/sim text="second"', { supersedes: runId });
  await until(store, () => said().some((words) => words.includes('second"}')) && !store.get().current);
  expect(said().join()).not.toContain("first");

  await store.send("/sim tokens=6000 rate=60");
  const other = new ThreadStore(options);
  await until(other, () => other.get().current?.run.text.includes("tok9") ?? false);
  expect(other.get().current?.asked).toBe("/sim tokens=6000 rate=60");
  await until(store, () => store.get().current?.run.text.includes("tok9") ?? false);
  await store.cancel();
  await until(store, () => store.get().current === undefined);
  leave();
});

test("a message that is refused is the thread's failure, and a new thread is none", async () => {
  await using cluster = await startCluster();
  const client = new Evenkeel({ baseUrl: `http://127.0.0.1:${cluster.port}` });
  const store = new ThreadStore({ client, threadId: "thread", agentId: "nobody" });
  await store.send("Hello");
  expect(store.get().failure).toMatchObject({ code: "AGENT_NOT_FOUND" });
});

async function until(store: { subscribe(listener: () => void): () => void }, check: () => boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const leave = store.subscribe(() => check() && resolve());
  if (check()) resolve();
  await promise;
  leave();
}
