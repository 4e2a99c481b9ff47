/** A model that is down, and the model that its agent falls back to. */
import { expect, test } from "vitest";
import { defineAgents } from "../core/agent.ts";
import { startCluster } from "../testing/cluster.ts";
import { problemsOf } from "../testing/journal.ts";
import { ModelTap, type ModelRequest } from "../testing/model-tap.ts";
import { startTap } from "../testing/tap.ts";

test("after three failures the rest of the run goes to the fallback, without the first model's thinking", async () => {
  let simulator = "";
  let isDown = false;
  await using tap = await startTap(
    () => simulator,
    ({ body }) => isDown && body["model"] === "primary",
  );
  const agents = defineAgents({ assistant: { model: "primary", fallbackModel: "spare", tools: ["calculate"] } });
  await using cluster = await startCluster({ agents, modelUrl: tap.url });
  simulator = cluster.simulator.url;
  await cluster.client.chat("/sim thinking=2 tokens=1", { thread_id: "thread" });
  isDown = true;

  const { body } = await cluster.client.chat('/sim tokens=1 tool=calculate input={"expression":"6*7"}', {
    thread_id: "thread",
  });

  expect(body).toMatchObject({ status: "completed", reply: "tok1" });
  expect(tap.seen.slice(1).map((request) => request.body["model"])).toEqual([
    "primary",
    "primary",
    "primary",
    "spare",
    "spare",
  ]);
  expect(JSON.stringify(tap.seen.at(1)?.body)).toContain('"type":"thinking"');
  expect(JSON.stringify(tap.seen.at(-1)?.body)).not.toContain('"type":"thinking"');
  const events = await cluster.client.events(body.run_id);
  expect(problemsOf(events)).toEqual([]);
  expect(JSON.stringify(events)).toContain("spare is asked instead");
  const { body: thread } = await cluster.client.get("/api/threads/thread");
  expect(JSON.stringify(thread)).toContain('"model":"spare"');
});

test("what the fallback took is booked to it, at its own price", async () => {
  let simulator = "";
  await using tap = await startTap(
    () => simulator,
    ({ body }) => body["model"] === "primary",
  );
  const price = { input: 1, output: 1_000_000, cache_read: 0, cache_write: 0 };
  const agents = defineAgents({
    assistant: { model: "primary", price, fallbackModel: "spare", fallbackPrice: { ...price, output: 3_000_000 } },
  });
  await using cluster = await startCluster({ agents, modelUrl: tap.url });
  simulator = cluster.simulator.url;

  const { body } = await cluster.client.chat("/sim tokens=2");

  const { output_tokens: output } = (await cluster.engine.run(body.run_id))?.usage ?? { output_tokens: 0 };
  const rows = await cluster.engine.spending({ by: "model", since: "2000-01-01" });
  expect(rows).toMatchObject([{ key: "spare", usage: { output_tokens: output } }]);
  expect(Math.round(rows[0]?.dollars ?? 0)).toBe(3 * output);
});

test("a thread that was made shorter for the fallback is no shorter for the agent's own model", async () => {
  await using tap = await ModelTap.open();
  const agents = defineAgents({ assistant: { model: "primary", fallbackModel: "spare", context: { keepTurns: 1 } } });
  await using cluster = await startCluster({ agents, modelUrl: tap.url });
  tap.target = cluster.simulator.url;
  for (const turn of [1, 2, 3, 4])
    await cluster.client.chat(`turn ${turn} ${"y".repeat(20_000)}`, { thread_id: "thread" });
  tap.answer = (asked) => (asked["model"] === "primary" ? overloaded() : tooLongAbove(8_000, asked));
  expect(await cluster.client.chat("short", { thread_id: "thread" })).toMatchObject({ status: 200 });
  tap.answer = () => undefined;

  const { status } = await cluster.client.chat("z".repeat(40_000), { thread_id: "thread" });

  expect(status).toBe(200);
});

test("in an outage all runs are answered by the fallback, and the model is found again when it is back", async () => {
  await using tap = await ModelTap.open();
  const limits = { timeoutMs: 20_000 };
  const agents = defineAgents({ assistant: { model: "primary", fallbackModel: "spare", limits } });
  await using cluster = await startCluster({ agents, modelUrl: tap.url });
  tap.target = cluster.simulator.url;
  await cluster.client.chat("/sim tokens=1");
  tap.answer = ({ model }) => (model === "primary" ? overloaded() : undefined);

  const replies = await Promise.all(Array.from({ length: 30 }, () => cluster.client.chat("/sim tokens=1")));

  expect(replies.map(({ body }) => body.code ?? body.reply)).toEqual(replies.map(() => "tok1"));
  tap.answer = () => undefined;
  const nextModel = async () => {
    await cluster.client.chat("/sim tokens=1");
    return tap.asked.at(-1)?.["model"];
  };
  await expect.poll(nextModel, { timeout: 20_000 }).toBe("primary");
});

test("a summary that the first model does not give comes from the fallback", async () => {
  await using tap = await ModelTap.open();
  const context = { tokens: 2_000, keepTurns: 1 };
  const agents = defineAgents({ assistant: { model: "primary", fallbackModel: "spare", context } });
  await using cluster = await startCluster({ agents, modelUrl: tap.url });
  tap.target = cluster.simulator.url;
  for (const turn of [1, 2, 3]) await cluster.client.chat(`turn ${turn} ${"y".repeat(1_600)}`, { thread_id: "thread" });
  tap.answer = ({ model }) => (model === "primary" ? overloaded() : undefined);

  const { body } = await cluster.client.chat(`turn 4 ${"y".repeat(3_200)}`, { thread_id: "thread" });

  expect(body).toMatchObject({ status: "completed" });
  expect(JSON.stringify(tap.asked.at(-1)?.messages)).toContain("Summary of the conversation so far");
  expect(problemsOf(await cluster.client.events(body.run_id))).toEqual([]);
});

test("a refusal names the model that refused", async () => {
  await using tap = await ModelTap.open();
  const agents = defineAgents({ assistant: { model: "primary", fallbackModel: "spare" } });
  await using cluster = await startCluster({ agents, modelUrl: tap.url });
  tap.answer = ({ model }) => (model === "primary" ? overloaded() : refusal());

  const { body } = await cluster.client.chat("hello");

  expect(body).toMatchObject({ code: "MODEL_REFUSED", detail: expect.stringContaining("model spare refused") });
});

const THINKS = { model: "primary", fallbackModel: "spare", thinking: 1_024, tools: ["calculate"] };
const CALLS = '/sim thinking=2 tokens=1 tool=calculate input={"expression":"6*7"}';

test("the fallback's own thinking goes back to it", async () => {
  await using tap = await ModelTap.open();
  await using cluster = await startCluster({ agents: defineAgents({ assistant: THINKS }), modelUrl: tap.url });
  tap.target = cluster.simulator.url;
  tap.answer = ({ model }) => (model === "primary" ? overloaded() : undefined);

  expect((await cluster.client.chat(CALLS)).body).toMatchObject({ status: "completed" });

  expect(tap.asked.at(-1)).toMatchObject({ model: "spare", thinking: { type: "enabled" } });
  expect(tap.asked.at(-1)?.messages.at(1)?.content[0]).toMatchObject({ type: "thinking" });
});

test("a fallback that goes on with another model's tool calls is not told to think", async () => {
  await using tap = await ModelTap.open();
  await using cluster = await startCluster({ agents: defineAgents({ assistant: THINKS }), modelUrl: tap.url });
  tap.target = cluster.simulator.url;
  tap.answer = ({ model, messages }) => (model === "primary" && messages.length > 1 ? overloaded() : undefined);

  expect((await cluster.client.chat(CALLS)).body).toMatchObject({ status: "completed" });

  expect(tap.asked.map(({ model }) => model)).toEqual(["primary", "primary", "primary", "primary", "spare"]);
  expect(tap.asked.at(-1)).not.toHaveProperty("thinking");
});

/** A whole answer that is a refusal. */
function refusal(): Response {
  const usage = { input_tokens: 1, output_tokens: 1 };
  const begin = event("message_start", { message: { id: "m", usage } });
  const text = `${begin}${event("message_delta", { delta: { stop_reason: "refusal" }, usage })}${event("message_stop", {})}`;
  return new Response(text, { headers: { "content-type": "text/event-stream" } });
}

function overloaded(): Response {
  return Response.json({ type: "error", error: { type: "overloaded_error", message: "Overloaded" } }, { status: 529 });
}

/** The refusal of a request that is longer than this many tokens. */
function tooLongAbove(maximum: number, { messages }: ModelRequest): Response | undefined {
  const tokens = Math.ceil(JSON.stringify(messages).length / 3.5);
  const message = `prompt is too long: ${tokens} tokens > ${maximum} maximum`;
  const error = { type: "error", error: { type: "invalid_request_error", message } };
  return tokens > maximum ? Response.json(error, { status: 400 }) : undefined;
}

function event(type: string, more: object): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;
}
