/** The prompt cache, as the simulated model counts it: how much of what one step has written the next step reads. */
import { expect, test } from "vitest";
import { z } from "zod";
import { defineAgents } from "../core/agent.ts";
import type { Usage } from "../core/run.ts";
import { startCluster } from "../testing/cluster.ts";
import { inlineTools } from "../testing/inline-tools.ts";
import { ModelTap } from "../testing/model-tap.ts";
import { readUntil } from "../testing/sse.ts";
import { defineTool } from "./tools/tool.ts";

const lookup = defineTool({
  description: "Looks something up.",
  input: z.object({}).loose(),
  effects: "pure",
  run: () => "a line of the manual, of which there are many\n".repeat(40),
});
const SYSTEM = "Answer from the manual. ".repeat(200);

test("a run of 20 steps reads at least 90 % of its input from the cache, and a thread goes on with it", async () => {
  const agents = defineAgents({
    assistant: { model: "m", system: SYSTEM, tools: ["lookup"], limits: { maxSteps: 39 } },
  });
  await using cluster = await startCluster({ agents, tools: inlineTools({ lookup }) });

  const { body } = await cluster.client.chat("/sim loop tool=lookup", { thread_id: "t" });
  const usage = body["usage"] as Usage;
  const input = usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens;
  const next = (await cluster.client.chat("/sim tokens=1", { thread_id: "t" })).body["usage"] as Usage;

  expect(body["steps"]).toBe(40);
  expect(usage.cache_read_input_tokens / input).toBeGreaterThan(0.9);
  expect(next.cache_read_input_tokens).toBeGreaterThan(10 * next.input_tokens);
});

test("`cache: false` marks nothing", async () => {
  await using tap = await ModelTap.open();
  const agents = defineAgents({ assistant: { model: "m", system: SYSTEM, tools: ["lookup"], cache: false } });
  await using cluster = await startCluster({ agents, tools: inlineTools({ lookup }), modelUrl: tap.url });
  tap.target = cluster.simulator.url;

  await cluster.client.chat("/sim tool=lookup");

  expect(tap.asked).toHaveLength(2);
  expect(JSON.stringify(tap.asked)).not.toContain("cache_control");
});

test("an endpoint that refuses the marks is asked without them from then on", async () => {
  await using tap = await ModelTap.open();
  const agents = defineAgents({ assistant: { model: "m", system: SYSTEM } });
  await using cluster = await startCluster({ agents, modelUrl: tap.url });
  tap.target = cluster.simulator.url;
  tap.answer = (asked) => (isMarked(asked) ? refusal("Extra inputs are not permitted") : undefined);

  expect((await cluster.client.chat("/sim tokens=1")).body).toMatchObject({ status: "completed", reply: "tok1" });
  expect((await cluster.client.chat("/sim tokens=2")).body).toMatchObject({ status: "completed" });

  expect(tap.asked.map(isMarked)).toEqual([true, false, false]);
});

test.each([
  "A maximum of 4 blocks with cache_control may be provided. Found 5.",
  "messages.0.content.1.text: cache_control cannot be set for empty text blocks",
  "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block",
])("a request whose own marks are wrong is repeated without them, and others keep theirs: %s", async (complaint) => {
  await using tap = await ModelTap.open();
  const agents = defineAgents({ assistant: { model: "m", system: SYSTEM } });
  await using cluster = await startCluster({ agents, modelUrl: tap.url });
  tap.target = cluster.simulator.url;
  tap.answer = () => (tap.asked.length === 1 ? refusal(complaint) : undefined);

  expect((await cluster.client.chat("/sim tokens=1")).body).toMatchObject({ status: "completed", reply: "tok1" });
  expect((await cluster.client.chat("/sim tokens=2")).body).toMatchObject({ status: "completed" });

  expect(tap.asked.map(isMarked)).toEqual([true, false, true]);
});

test("usage counts every attempt, also one that broke off", async () => {
  await using cluster = await startCluster();
  const { input_tokens: once } = (await cluster.client.chat("/sim tokens=40")).body["usage"] as Usage;

  const usage = (await cluster.client.chat("/sim tokens=40 cut times=1")).body["usage"] as Usage;

  expect(usage.input_tokens + usage.cache_read_input_tokens).toBeGreaterThan(1.5 * once);
  expect(usage.output_tokens).toBeGreaterThan(40);
});

test("usage counts what a canceled run had read and said", async () => {
  await using cluster = await startCluster({ agents: defineAgents({ assistant: { model: "m", cache: false } }) });
  const response = await cluster.client.stream("/sim tokens=10000 rate=200", { run_id: "mine" });
  await readUntil(response, ({ type }) => type === "TEXT_MESSAGE_CONTENT");
  await cluster.client.post("/api/runs/mine/cancel");

  await expect
    .poll(async () => (await cluster.client.get("/api/runs/mine")).body)
    .toMatchObject({ status: "canceled", usage: { input_tokens: expect.any(Number) } });
  const usage = (await cluster.client.get("/api/runs/mine")).body["usage"] as Usage;
  expect(usage.input_tokens).toBeGreaterThan(0);
});

function isMarked(asked: unknown): boolean {
  return JSON.stringify(asked).includes("cache_control");
}

function refusal(complaint: string): Response {
  const message = `messages.0.content.0.text.cache_control: ${complaint}`;
  return Response.json({ type: "error", error: { type: "invalid_request_error", message } }, { status: 400 });
}
