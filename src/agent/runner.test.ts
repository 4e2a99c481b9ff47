import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { expect, test, vi } from "vitest";
import { z } from "zod";
import { defineAgents } from "../core/agent.ts";
import type { Activity } from "../core/activity.ts";
import type { Reply } from "../testing/client.ts";
import { SqliteEngine } from "../engine/sqlite/engine.ts";
import { startCluster, type Cluster } from "../testing/cluster.ts";
import { inlineTools } from "../testing/inline-tools.ts";
import { modelCallsIn, problemsOf, textIn, type ReadEvent } from "../testing/journal.ts";
import { readAll, readUntil } from "../testing/sse.ts";
import { defineTool } from "./tools/tool.ts";

/** The reply of a chat, with its journal, which is checked against every rule. */
async function chat(cluster: Cluster, message: string, fields = {}): Promise<{ reply: Reply; events: ReadEvent[] }> {
  const reply = await cluster.client.chat(message, { run_id: "mine", ...fields });
  const events = await cluster.client.events("mine");
  expect(problemsOf(events)).toEqual([]);
  return { reply, events };
}

/** Every new attempt at the model, as the journal shows it. */
const retriesIn = (events: readonly ReadEvent[]) =>
  events.filter(({ name }) => name === "evenkeel.attempt").map(({ value }) => value ?? {});

const resultsIn = (events: readonly ReadEvent[]) =>
  events.filter(({ type }) => type === "TOOL_CALL_RESULT").map(({ content }) => content ?? "");

test.concurrent.each(["cut", "reset", "error=overloaded_error", "badjson"])(
  "an answer that breaks off (%s) is tried again, and only the whole one counts",
  async (fault) => {
    await using cluster = await startCluster();

    const { reply, events } = await chat(cluster, `/sim tokens=6 times=1 ${fault}`);

    expect(reply.body.reply).toBe("tok1 tok2 tok3 tok4 tok5 tok6");
    const [retry, ...more] = retriesIn(events);
    expect(more).toEqual([]);
    expect(retry).toMatchObject({ of: "model_call", attempt: 2, wait_ms: expect.any(Number) });
    const partial = events.find(({ type }) => type === "TEXT_MESSAGE_START")?.messageId;
    expect(retry?.["void"]).toEqual([partial]);
    expect(textIn(events)).toBe(reply.body.reply);
    expect(modelCallsIn(events)).toBe(cluster.simulator.stats().requests);
    expect((await cluster.client.get(`/api/threads/${reply.body.thread_id}`)).body["messages"]).toHaveLength(2);
  },
);

test.concurrent("a model that falls silent is given up after MODEL_IDLE_MS and tried again", async () => {
  await using cluster = await startCluster({ settings: { modelIdleMs: 200 } });

  const { reply, events } = await chat(cluster, "/sim tokens=4 times=1 stall");

  expect(reply.body.reply).toBe("tok1 tok2 tok3 tok4");
  expect(retriesIn(events)).toMatchObject([{ reason: expect.stringContaining("silent for 200 ms") }]);
  await vi.waitFor(() => expect(cluster.simulator.stats().aborted).toBe(1));
});

test.concurrent("a model that never even answers is given up after MODEL_IDLE_MS", async () => {
  await using cluster = await startCluster({ settings: { modelIdleMs: 150 } });

  const { reply, events } = await chat(cluster, "/sim ttft=3600000");

  expect(reply.body).toMatchObject({ status: 502, code: "MODEL_UNAVAILABLE" });
  expect(modelCallsIn(events)).toBe(4);
  await vi.waitFor(() => expect(cluster.simulator.stats().active).toBe(0));
});

test("a slow model that says something before the time is up is not given up", async () => {
  await using cluster = await startCluster({ settings: { modelIdleMs: 150 } });

  const { reply, events } = await chat(cluster, "/sim tokens=5 rate=12");

  expect(reply.body.status).toBe("completed");
  expect(retriesIn(events)).toEqual([]);
});

test.concurrent("an overloaded model is tried again, and attempts in the journal equal attempts upstream", async () => {
  await using cluster = await startCluster();

  const { reply, events } = await chat(cluster, "/sim tokens=2 status=529 times=2");

  expect(reply.body.reply).toBe("tok1 tok2");
  expect(cluster.simulator.stats()).toMatchObject({ requests: 3, statuses: { 200: 1, 529: 2 } });
  expect(modelCallsIn(events)).toBe(3);
  expect(retriesIn(events).map(({ attempt }) => attempt)).toEqual([2, 3]);
});

test.concurrent("Retry-After is honoured", async () => {
  await using cluster = await startCluster();

  const { events } = await chat(cluster, "/sim tokens=1 status=429 times=1 retry_after=1");

  expect(retriesIn(events)[0]?.["wait_ms"]).toBeGreaterThanOrEqual(1_000);
  const [first, second] = cluster.simulator.stats().recent;
  expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(990);
});

test.concurrent("a tool call whose arguments were cut off never runs", async () => {
  const run = vi.fn<() => string>(() => "ran");
  const risky = defineTool({ description: "Must not run.", input: z.looseObject({}), run });
  await using cluster = await startWith({ risky });

  const { reply } = await chat(cluster, '/sim tool=risky input={"target":"everything"} cut');

  expect(reply.body.code).toBe("MODEL_UNAVAILABLE");
  expect(run).not.toHaveBeenCalled();
});

test.each([
  ["status=400", "MODEL_REJECTED"],
  ["status=401", "MODEL_UNAUTHORIZED"],
  ["status=402", "MODEL_UNAUTHORIZED"],
  ["status=403", "MODEL_UNAUTHORIZED"],
  ["status=404", "MODEL_NOT_FOUND"],
  ["error=invalid_request_error", "MODEL_REJECTED"],
])("a model that refuses (%s) is asked once", async (fault, code) => {
  await using cluster = await startCluster();

  const { reply, events } = await chat(cluster, `/sim ${fault}`);

  expect(reply.body).toMatchObject({ status: 502, code, run_id: "mine" });
  expect(events.at(-1)).toMatchObject({ type: "RUN_ERROR", code, message: reply.body.detail });
  expect(cluster.simulator.stats().requests).toBe(1);
});

test("a model out of reach fails the run in the response, the journal and the feed alike", async () => {
  const modelUrl = await closedUrl();
  await using cluster = await startCluster({ modelUrl });

  const { reply, events } = await chat(cluster, "hello", { timeout_ms: 3_000 });

  const code = "MODEL_UNAVAILABLE";
  expect(reply.status).toBe(502);
  expect(reply.headers.get("content-type")).toContain("application/problem+json");
  expect(reply.body).toMatchObject({ code, run_id: "mine", detail: expect.stringContaining("attempts") });
  expect(events.at(-1)).toMatchObject({ type: "RUN_ERROR", code, message: reply.body.detail });
  const { body: run } = await cluster.client.get("/api/runs/mine");
  expect(run).toMatchObject({ status: "failed", error: { code, detail: reply.body.detail } });
  const { body: feed } = await cluster.client.get("/api/activities?type=run.failed");
  expect((feed["activities"] as Activity[])[0]?.detail).toMatchObject({ code, message: reply.body.detail });
});

test("a model that drips byte by byte is understood", async () => {
  await using cluster = await startCluster();

  expect((await chat(cluster, "/sim tokens=3 thinking=2 drip")).reply.body.reply).toBe("tok1 tok2 tok3");
});

test("a delta of a megabyte arrives whole", async () => {
  await using cluster = await startCluster();

  const { reply, events } = await chat(cluster, "/sim tokens=2 bigline=1000000");

  expect(reply.body.reply).toHaveLength(1_000_009);
  expect(textIn(events)).toBe(reply.body.reply);
});

test("tools of one answer run in parallel, and their results go back in order", async () => {
  await using cluster = await startCluster();

  const { reply, events } = await chat(
    cluster,
    '/sim tool=calculate input={"expression":"2*(3+4)"} tool=current_time input={"timezone":"UTC"}',
  );

  const [sum, time] = resultsIn(events).toSorted((a, b) => a.length - b.length);
  expect(sum).toBe("14");
  expect(JSON.parse(time ?? "")).toMatchObject({ timezone: "UTC", utc: expect.stringMatching(/Z$/) });
  expect(reply.body.reply).toMatch(/calculate answered: 14[\s\S]*current_time answered/);
  expect(reply.body["steps"]).toBe(4);
  expect(cluster.simulator.stats().requests).toBe(2);
});

test("two slow tools of one answer take the time of one", async () => {
  const bothStarted = Promise.withResolvers<void>();
  let started = 0;
  const meet = defineTool({
    description: "Waits for its twin.",
    input: z.object({}),
    run: async () => {
      started += 1;
      if (started === 2) bothStarted.resolve();
      await bothStarted.promise;
      return "met";
    },
  });
  await using cluster = await startWith({ meet });

  expect(resultsIn((await chat(cluster, "/sim tool=meet tool=meet")).events)).toEqual(["met", "met"]);
});

test("arguments that do not fit go back to the model, which may go on", async () => {
  await using cluster = await startCluster();

  const { reply, events } = await chat(cluster, '/sim tool=calculate input={"expression":7}');

  expect(resultsIn(events)[0]).toMatch(/arguments do not fit.*expected string/i);
  expect(reply.body).toMatchObject({ status: "completed", reply: expect.stringContaining("calculate failed") });
});

test("a tool that throws tells the model why, and readers that it failed", async () => {
  await using cluster = await startCluster();

  const { reply, events } = await chat(cluster, '/sim tool=calculate input={"expression":"1/0"}');

  expect(reply.body.reply).toBe("The tool calculate failed: 1/0 has no finite value.");
  expect(events.find(({ type }) => type === "TOOL_CALL_RESULT")).toMatchObject({ isError: true });
});

test("a tool that nobody wrote is answered with that", async () => {
  await using cluster = await startCluster();

  const { reply, events } = await chat(cluster, "/sim tool=launch_rocket");

  expect(resultsIn(events)).toEqual([
    expect.stringMatching(/^There is no tool launch_rocket\. There are: .*calculate/),
  ]);
  expect(reply.body.status).toBe("completed");
});

test("a tool that exists but was not given to this agent does not run", async () => {
  const agents = defineAgents({ assistant: { model: "m", tools: ["calculate"] } });
  await using cluster = await startCluster({ agents });

  const { events } = await chat(cluster, '/sim tool=current_time input={"timezone":"UTC"}');

  expect(resultsIn(events)).toEqual(["There is no tool current_time. There are: calculate."]);
});

test("a tool call that max_tokens cut off never runs: the model is told, and goes on", async () => {
  const run = vi.fn<() => string>(() => "ran");
  const risky = defineTool({ description: "Must not run.", input: z.looseObject({}), run });
  await using cluster = await startWith({ risky }, { maxTokens: 6 });

  const { reply, events } = await chat(cluster, `/sim tool=risky input={"target":"${"everything ".repeat(20)}"}`);

  expect(run).not.toHaveBeenCalled();
  expect(resultsIn(events)).toEqual([expect.stringContaining("cut off at the answer's token limit")]);
  expect(cluster.simulator.stats().requests).toBe(2);
  // The model's answer to the retry is cut off as well.
  expect(reply.body).toMatchObject({ status: "completed", steps: 2, finish_reason: "max_tokens" });
});

test("a result that is too long, or holds half a character, is cut and mended", async () => {
  const long = defineTool({
    description: "Talks.",
    input: z.object({}),
    run: () => `\ud800\0${"x".repeat(1_000_000)}`,
  });
  await using cluster = await startWith({ long });

  const [result = ""] = resultsIn((await chat(cluster, "/sim tool=long")).events);

  expect(result.isWellFormed()).toBe(true);
  expect(result).toMatch(/^\ufffd\0x+\n\[cut: \d+ more characters\]$/);
  expect(result.length).toBeLessThan(257 * 1024);
});

test("a tool that takes too long is an error for the model, and its signal is aborted", async () => {
  const aborted = Promise.withResolvers<unknown>();
  const slow = defineTool({
    description: "Never ends.",
    input: z.object({}),
    timeoutMs: 50,
    run: (_input, { signal }) => {
      signal.addEventListener("abort", () => aborted.resolve(signal.reason));
      return new Promise(() => {});
    },
  });
  await using cluster = await startWith({ slow });

  const { reply, events } = await chat(cluster, "/sim tool=slow");

  expect(resultsIn(events)).toEqual(["The tool took longer than 50 ms."]);
  expect(reply.body.status).toBe("completed");
  expect(await aborted.promise).toBeInstanceOf(Error);
});

test("canceling a run aborts the tool that it waits for", async () => {
  const started = Promise.withResolvers<AbortSignal>();
  const endless = defineTool({
    description: "Never ends.",
    input: z.object({}),
    run: (_input, { signal }) => {
      started.resolve(signal);
      return new Promise(() => {});
    },
  });
  await using cluster = await startWith({ endless });
  const reply = chat(cluster, "/sim tool=endless");
  const signal = await started.promise;

  await cluster.client.post("/api/runs/mine/cancel");

  expect((await reply).reply.body.status).toBe("canceled");
  expect(signal.aborted).toBe(true);
  expect(cluster.simulator.stats().requests).toBe(1);
});

test("a model that calls tools for ever has a last word at the step limit, one call over", async () => {
  await using cluster = await startCluster();

  const { reply, events } = await chat(cluster, "/sim loop");

  expect(reply.body).toMatchObject({ status: "completed", finish_reason: "step_limit", steps: 41 });
  expect(reply.body.reply).toContain("The limit of 40 steps is reached.");
  expect(events.at(-1)).toMatchObject({ type: "RUN_FINISHED", finish_reason: "step_limit" });
  expect(cluster.simulator.stats().requests).toBe(21);
});

test("a run is stopped at its timeout_ms, and its model call with it", async () => {
  await using cluster = await startCluster();

  const { reply } = await chat(cluster, "/sim tokens=10000 rate=50", { timeout_ms: 150 });

  expect(reply.body).toMatchObject({ status: 504, code: "RUN_TIMEOUT", detail: expect.stringContaining("150 ms") });
  await vi.waitFor(() => expect(cluster.simulator.stats()).toMatchObject({ active: 0, aborted: 1 }), {
    timeout: 1_000,
  });
});

test("a client cannot give its run more time than the agent allows", async () => {
  const agents = defineAgents({ assistant: { model: "m", limits: { timeoutMs: 100 } } });
  await using cluster = await startCluster({ agents });

  const { reply } = await chat(cluster, "/sim tokens=10000 rate=50", { timeout_ms: 3_600_000 });

  expect(reply.body.code).toBe("RUN_TIMEOUT");
});

test("an agent that is no longer configured fails its queued run by name", async () => {
  const agents = new Map(defineAgents({ assistant: { model: "m" }, old: { model: "m" } }));
  await using cluster = await startCluster({ agents, runner: false });
  const runId = await cluster.client.begin("hello", { agent_id: "old" });
  agents.delete("old");

  await cluster.startRunner();

  const events = await readAll(await cluster.client.follow(runId));
  expect(events.at(-1)?.event).toMatchObject({ code: "AGENT_NOT_FOUND", message: expect.stringContaining("old") });
});

test("a drained runner gives back its run, which another finishes with its partial message void", async () => {
  await using cluster = await startCluster({ runner: false });
  const first = await cluster.startRunner();
  const runId = await cluster.client.begin("/sim tokens=40 rate=60");
  await readUntil(await cluster.client.follow(runId), ({ type }) => type === "TEXT_MESSAGE_CONTENT");

  await first.drain(0);
  expect((await cluster.client.get(`/api/runs/${runId}`)).body.status).toBe("queued");
  await cluster.startRunner();
  await cluster.client.follow(runId).then((response) => response.text());

  const events = await cluster.client.events(runId);
  expect(problemsOf(events)).toEqual([]);
  expect(retriesIn(events)).toMatchObject([{ of: "run", attempt: 2, void: [expect.stringMatching(/^msg_/)] }]);
  expect(textIn(events)).toBe((await cluster.client.get(`/api/runs/${runId}`)).body.reply);
  expect(cluster.simulator.stats().requests).toBe(2);
});

test("a draining runner lets its runs finish within their time and takes no new ones", async () => {
  await using cluster = await startCluster({ runner: false });
  const runner = await cluster.startRunner();
  const running = await cluster.client.begin("/sim tokens=10 rate=40");
  await readUntil(await cluster.client.follow(running), ({ type }) => type === "TEXT_MESSAGE_CONTENT");

  const drained = runner.drain(10_000);
  const queued = await cluster.client.begin("hello");
  await drained;

  expect((await cluster.client.get(`/api/runs/${running}`)).body).toMatchObject({ status: "completed", attempts: 1 });
  expect((await cluster.client.get(`/api/runs/${queued}`)).body.status).toBe("queued");
});

test("a claim that is under way when the drain begins is given back, and nothing is done for it", async () => {
  await using cluster = await startCluster({ runner: false });
  const runId = await cluster.client.begin("hello");
  const runner = await cluster.startRunner();

  await runner.drain(0);

  expect(runner.inFlight).toBe(0);
  expect((await cluster.client.get(`/api/runs/${runId}`)).body.status).toBe("queued");
  expect(cluster.simulator.stats().requests).toBe(0);
});

test("a claim that is under way when a long drain begins is given back at once, not when the drain ends", async () => {
  await using cluster = await startCluster({ runner: false });
  const runner = await cluster.startRunner();
  const long = await cluster.client.begin("/sim tokens=60 rate=20");
  await vi.waitUntil(() => runner.inFlight === 1, { interval: 1 });
  const draining = Promise.withResolvers<void>();
  const { claim } = SqliteEngine.prototype;
  using held = vi.spyOn(SqliteEngine.prototype, "claim").mockImplementation(async function (
    this: SqliteEngine,
    request,
  ) {
    const claims = await claim.call(this, request);
    await draining.promise;
    return claims;
  });
  const statusOf = async (runId: string) => (await cluster.client.get(`/api/runs/${runId}`)).body.status;
  const late = await cluster.client.begin("hello");
  await vi.waitFor(async () => expect(await statusOf(late)).toBe("running"));

  const drained = runner.drain(60_000);
  draining.resolve();

  await vi.waitFor(async () => expect(await statusOf(late)).toBe("queued"));
  expect(await statusOf(long)).toBe("running");
  expect(held).toHaveBeenCalled();
  await drained;
});

test("a runner works on as many runs at once as it may, and not on more", async () => {
  await using cluster = await startCluster({ settings: { agentConcurrency: 3 } });

  await Promise.all(Array.from({ length: 9 }, () => cluster.client.chat("/sim tokens=10 rate=100")));

  expect(cluster.simulator.stats()).toMatchObject({ requests: 9, max_concurrent: 3 });
});

test("text reaches the journal in frames, not in tokens", async () => {
  await using cluster = await startCluster();

  const { events } = await chat(cluster, "/sim tokens=400 rate=1000");

  const deltas = events.filter(({ type }) => type === "TEXT_MESSAGE_CONTENT");
  expect(deltas.length).toBeGreaterThan(3);
  expect(deltas.length).toBeLessThan(60);
});

type Tools = Parameters<typeof inlineTools>[0];

function startWith(tools: Tools, { maxTokens = 4096 } = {}): Promise<Cluster> {
  const agents = defineAgents({ assistant: { model: "m", maxTokens, tools: Object.keys(tools) } });
  return startCluster({ agents, tools: inlineTools(tools) });
}

/** A URL where no server listens any more. */
async function closedUrl(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return `http://127.0.0.1:${port}`;
}
