import { expect, test, vi } from "vitest";
import type { Engine } from "../engine/engine.ts";
import { startCluster, type Cluster } from "../testing/cluster.ts";
import { modelCallsIn, outlineOf, problemsOf, textIn } from "../testing/journal.ts";
import { readAll, readUntil } from "../testing/sse.ts";

const SLOW = "/sim tokens=10000 rate=50";

test("a chat waits for the reply and answers with everything about its run", async () => {
  await using cluster = await startCluster();

  const { status, body, headers } = await cluster.client.chat("/sim tokens=3", { thread_id: "t1" });

  expect(status).toBe(200);
  expect(headers.get("x-request-id")).toMatch(/^req_/);
  expect(body).toEqual({
    run_id: expect.stringMatching(/^run_/),
    thread_id: "t1",
    agent_id: "assistant",
    status: "completed",
    reply: "tok1 tok2 tok3",
    finish_reason: "stop",
    usage: expect.objectContaining({ output_tokens: 3 }),
    steps: 1,
    duration_ms: expect.any(Number),
  });
});

test("a stream tells the whole run as AG-UI events and then ends", async () => {
  await using cluster = await startCluster();

  const response = await cluster.client.stream("/sim tokens=500 thinking=5", { thread_id: "t1" });
  const events = (await readAll(response)).map(({ event }) => event);

  expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  expect(response.headers.get("cache-control")).toBe("no-cache, no-transform");
  expect(response.headers.get("x-accel-buffering")).toBe("no");
  expect(problemsOf(events)).toEqual([]);
  expect(outlineOf(events)).toEqual([
    "RUN_STARTED",
    "evenkeel.queued",
    "evenkeel.claimed",
    "STEP_STARTED",
    "REASONING_START",
    "REASONING_MESSAGE_START",
    "REASONING_MESSAGE_CONTENT",
    "REASONING_MESSAGE_END",
    "REASONING_END",
    "TEXT_MESSAGE_START",
    "TEXT_MESSAGE_CONTENT",
    "TEXT_MESSAGE_END",
    "STEP_FINISHED",
    "RUN_FINISHED",
  ]);
  const runId = response.headers.get("content-location")?.split("/").at(-1) ?? "";
  const { body: run } = await cluster.client.get(`/api/runs/${runId}`);
  expect(textIn(events)).toBe(run.reply);
  expect(events.at(-1)).toMatchObject({ outcome: { type: "success" }, result: { reply: run.reply } });
});

test("POST /api/chat streams for a client that accepts event streams", async () => {
  await using cluster = await startCluster();
  const response = await cluster.client.fetch("/api/chat", {
    method: "POST",
    headers: { Accept: "text/event-stream", "Content-Type": "application/json" },
    body: JSON.stringify({ agent_id: "assistant", message: "/sim tokens=3" }),
  });

  const events = (await readAll(response)).map(({ event }) => event);

  expect(problemsOf(events)).toEqual([]);
  expect(textIn(events)).toBe("tok1 tok2 tok3");
});

test("POST /api/chat takes a task for a client that prefers not to wait", async () => {
  await using cluster = await startCluster({ runner: false });

  const { status, headers, body } = await cluster.client.chat("hello", {}, { Prefer: "respond-async" });

  expect(status).toBe(202);
  expect(headers.get("preference-applied")).toBe("respond-async");
  expect(headers.get("location")).toBe(`/api/chat/task/${body.task_id}`);
  expect(body).toEqual({ task_id: body.run_id, run_id: body.run_id, thread_id: body.thread_id, status: "pending" });
});

test("a task is pending, then running, then completed with its result", async () => {
  await using cluster = await startCluster({ runner: false });
  const { client } = cluster;
  const taskId = await client.begin("/sim tokens=20 rate=40");
  const task = async () => (await client.get(`/api/chat/task/${taskId}`)).body;

  expect(await task()).toEqual({ task_id: taskId, status: "pending" });
  await cluster.startRunner();
  await vi.waitFor(async () => expect(await task()).toEqual({ task_id: taskId, status: "running" }));
  await readAll(await client.follow(taskId));

  expect(await task()).toMatchObject({ task_id: taskId, status: "completed", result: { run_id: taskId, steps: 1 } });
});

test("a task that failed says why, under status 200", async () => {
  await using cluster = await startCluster();
  const taskId = await cluster.client.begin("/sim status=400");
  await readAll(await cluster.client.follow(taskId));

  const { status, body } = await cluster.client.get(`/api/chat/task/${taskId}`);

  expect(status).toBe(200);
  expect(body).toMatchObject({ status: "failed", error: { code: "MODEL_REJECTED" } });
  expect(body).not.toHaveProperty("result");
});

test("a thread remembers: the next run starts from its history", async () => {
  await using cluster = await startCluster();
  const first = await cluster.client.chat("My name is Ana.");

  const second = await cluster.client.chat("What is it?", { thread_id: first.body.thread_id });

  expect(second.body.reply).toContain("turn 2");
});

test("a repeated Idempotency-Key returns the first run and calls the model once", async () => {
  await using cluster = await startCluster();
  const key = { "Idempotency-Key": "order-1" };

  const first = await cluster.client.chat("hello", {}, key);
  const second = await cluster.client.chat("hello", {}, key);

  expect(first.headers.get("idempotent-replayed")).toBeNull();
  expect(second.headers.get("idempotent-replayed")).toBe("true");
  expect(second.body).toEqual(first.body);
  expect(cluster.simulator.stats().requests).toBe(1);
});

test("an Idempotency-Key under a different body is refused", async () => {
  await using cluster = await startCluster();
  const key = { "Idempotency-Key": "order-1" };
  await cluster.client.chat("hello", {}, key);

  const { status, body } = await cluster.client.chat("goodbye", {}, key);

  expect(status).toBe(422);
  expect(body).toMatchObject({ code: "IDEMPOTENCY_MISMATCH" });
});

test("a repeated run_id returns that run, and refuses another body", async () => {
  await using cluster = await startCluster();
  const first = await cluster.client.chat("hello", { run_id: "mine" });

  expect((await cluster.client.chat("hello", { run_id: "mine" })).body).toEqual(first.body);
  expect((await cluster.client.chat("goodbye", { run_id: "mine" })).body).toMatchObject({
    status: 409,
    code: "RUN_ID_TAKEN",
  });
  expect(cluster.simulator.stats().requests).toBe(1);
});

test.each([
  ["Idempotency-Key", {}, { "Idempotency-Key": "same" }],
  ["run_id", { run_id: "same" }, {}],
])("a hundred equal requests at once under one %s make one run", async (_name, fields, headers) => {
  await using cluster = await startCluster();

  const replies = await Promise.all(
    Array.from({ length: 100 }, () => cluster.client.chat("hello", { thread_id: "t", ...fields }, headers)),
  );

  expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
  expect(new Set(replies.map(({ body }) => body.run_id)).size).toBe(1);
  expect(cluster.simulator.stats().requests).toBe(1);
});

test("runs of one thread go one after the other, in the order they came", async () => {
  await using cluster = await startCluster();
  const messages = Array.from({ length: 5 }, (_, index) => `message ${index}`);

  const runIds: string[] = [];
  for (const message of messages) runIds.push(await cluster.client.begin(message, { thread_id: "t" }));
  for (const runId of runIds) await readAll(await cluster.client.follow(runId));

  const { body } = await cluster.client.get("/api/threads/t");
  expect((body["messages"] as { run_id: string }[]).map(({ run_id }) => run_id)).toEqual(
    runIds.flatMap((runId) => [runId, runId]),
  );
  expect(cluster.simulator.stats().max_concurrent).toBe(1);
});

test("a busy thread refuses a second run that asks for it", async () => {
  await using cluster = await startCluster();
  await cluster.client.begin(SLOW, { thread_id: "t" });

  const { body } = await cluster.client.chat("hello", { thread_id: "t", multitask_strategy: "reject" });

  expect(body).toMatchObject({ status: 409, code: "THREAD_BUSY" });
});

test("a second run that interrupts cancels the first and is answered", async () => {
  await using cluster = await startCluster();
  const first = await cluster.client.begin(SLOW, { thread_id: "t" });
  await readUntil(await cluster.client.follow(first), ({ type }) => type === "TEXT_MESSAGE_CONTENT");

  const { body } = await cluster.client.chat("hello", { thread_id: "t", multitask_strategy: "interrupt" });

  expect(body.status).toBe("completed");
  expect((await cluster.client.get(`/api/runs/${first}`)).body.status).toBe("canceled");
});

test("a full queue refuses with 503 and says when to come back", async () => {
  await using cluster = await startCluster({ runner: false, settings: { maxQueued: 2 } });
  await cluster.client.begin("one");
  await cluster.client.begin("two");

  const { status, headers, body } = await cluster.client.chat("three");

  expect(status).toBe(503);
  expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
  expect(body).toMatchObject({ code: "OVERLOADED" });
});

test("a client that hangs up does not cancel its run", async () => {
  await using cluster = await startCluster();
  const runId = await hangUpMidway(cluster, { run_id: "mine" });

  const events = (await readAll(await cluster.client.follow(runId))).map(({ event }) => event);

  expect(problemsOf(events)).toEqual([]);
  expect(events.at(-1)).toMatchObject({ type: "RUN_FINISHED", outcome: { type: "success" } });
});

test("a client that asked for it cancels its run by hanging up", async () => {
  await using cluster = await startCluster();
  const runId = await hangUpMidway(cluster, { run_id: "mine", on_disconnect: "cancel" });

  const events = (await readAll(await cluster.client.follow(runId))).map(({ event }) => event);

  expect(problemsOf(events)).toEqual([]);
  expect(events.at(-1)).toMatchObject({ type: "RUN_FINISHED", outcome: { type: "cancelled" } });
  await vi.waitFor(() => expect(cluster.simulator.stats().aborted).toBe(1), { timeout: 1_000 });
});

test("a waiting client that asked for it cancels its run by hanging up", async () => {
  await using cluster = await startCluster();
  const hangUp = new AbortController();
  const body = JSON.stringify({ agent_id: "assistant", message: SLOW, run_id: "mine", on_disconnect: "cancel" });
  const headers = { "Content-Type": "application/json" };
  const reply = cluster.client.fetch("/api/chat", { method: "POST", headers, body, signal: hangUp.signal });
  reply.catch(() => {});
  await vi.waitFor(() => expect(cluster.simulator.stats().active).toBe(1));

  hangUp.abort();

  await expect(reply).rejects.toThrow("aborted");
  await vi.waitFor(async () => expect((await cluster.client.get("/api/runs/mine")).body.status).toBe("canceled"));
});

test.each(["/api/chat", "/api/chat/stream"])(
  "a client of %s that hangs up while its run is being stored cancels it too",
  async (path) => {
    const stored = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<void>();
    const wrapEngine = (engine: Engine) => holdEnqueue(engine, stored.resolve, gone.promise);
    await using cluster = await startCluster({ wrapEngine, runner: false });
    const hangUp = new AbortController();
    const body = JSON.stringify({ agent_id: "assistant", message: "hi", run_id: "mine", on_disconnect: "cancel" });
    const headers = { "Content-Type": "application/json" };
    cluster.client.fetch(path, { method: "POST", headers, body, signal: hangUp.signal }).catch(() => {});
    await stored.promise;

    hangUp.abort();
    await vi.waitFor(() => expect(cluster.server.inFlight).toBe(0));
    gone.resolve();

    await vi.waitFor(async () => expect((await cluster.client.get("/api/runs/mine")).body.status).toBe("canceled"));
    expect(cluster.delivery.streams.size).toBe(0);
  },
);

test("a worker that has to go tells those who wait where their run can be found", async () => {
  await using cluster = await startCluster({ runner: false });
  const reply = cluster.client.chat("hello", { run_id: "mine" });
  await vi.waitFor(async () => expect((await cluster.client.get("/api/runs/mine")).status).toBe(200));

  cluster.letGo();

  const { status, body, headers } = await reply;
  expect(headers.get("retry-after")).toBe("2");
  expect(status).toBe(503);
  expect(body).toMatchObject({
    code: "SHUTTING_DOWN",
    run_id: "mine",
    detail: expect.stringContaining("/api/runs/mine"),
  });
});

test("many chats at once are all answered, each with its own words", async () => {
  await using cluster = await startCluster();

  const replies = await Promise.all(
    Array.from({ length: 60 }, (_, index) => cluster.client.chat(`/sim tokens=20 rate=200\nnumber ${index}`)),
  );

  for (const { body } of replies) expect(body.status).toBe("completed");
  expect(new Set(replies.map(({ body }) => body.run_id)).size).toBe(60);
  for (const { body } of replies) {
    const events = await cluster.client.events(body.run_id);
    expect(problemsOf(events)).toEqual([]);
    expect(modelCallsIn(events)).toBe(1);
  }
});

/** Starts a slow stream, and disconnects once the first words came. */
async function hangUpMidway({ client }: Cluster, fields: Record<string, unknown>): Promise<string> {
  const hangUp = new AbortController();
  const tokens = fields["on_disconnect"] ? 10_000 : 30;
  const response = await client.stream(`/sim tokens=${tokens} rate=50`, fields, { signal: hangUp.signal });
  await readUntil(response, ({ type }) => type === "TEXT_MESSAGE_CONTENT");
  hangUp.abort();
  return String(fields["run_id"]);
}

/** An engine whose `enqueue` stores the run at once, but does not return before `release`. */
function holdEnqueue(engine: Engine, onStored: () => void, release: Promise<void>): Engine {
  const enqueue = engine.enqueue.bind(engine);
  engine.enqueue = async (run) => {
    const result = await enqueue(run);
    onStored();
    await release;
    return result;
  };
  return engine;
}

test.each([
  ["/api/chat/async", {}, true],
  ["/api/chat", { Prefer: "respond-async" }, true],
  ["/api/chat", { Prefer: "respond-async, wait=0" }, undefined],
] as const)("a run that POST %s with %j makes is one of the background: %s", async (path, headers, background) => {
  await using cluster = await startCluster({ runner: false });
  const body = { agent_id: "assistant", message: "hello" };
  const response = await cluster.client.fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(202);
  const owner = { machine: "m", boot: "b", process: "p" };
  const [claim] = await cluster.engine.claim({ owner, limit: 1, leaseMs: 10_000 });
  expect(claim?.asked.background).toBe(background);
});
