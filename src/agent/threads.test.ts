/**
 * Threads that never die: whatever a model says, and however a run ends, the next message of the thread is answered.
 * A real agent and the simulated model, which refuses what the API refuses.
 */
import { expect, test, vi } from "vitest";
import { z } from "zod";
import { defineAgents, type AgentConfig } from "../core/agent.ts";
import { startCluster, type Cluster, type ClusterOptions } from "../testing/cluster.ts";
import { inlineTools } from "../testing/inline-tools.ts";
import { ModelTap } from "../testing/model-tap.ts";
import { readUntil } from "../testing/sse.ts";
import { defineTool } from "./tools/tool.ts";

const THREAD = { thread_id: "t" };

const calculate = defineTool({
  description: "Calculates.",
  input: z.object({ expression: z.string() }),
  effects: "pure",
  run: ({ expression }) => `${expression} = 42`,
});

interface Tapped extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly tap: ModelTap;
}

/** A cluster that records its requests to the model. */
async function startTapped(config: Partial<AgentConfig> = {}, options: ClusterOptions = {}): Promise<Tapped> {
  await using stack = new AsyncDisposableStack();
  const tap = stack.use(await ModelTap.open());
  const agents = defineAgents({
    assistant: { model: "m", tools: ["calculate"], ...config },
    greeter: { model: "m", maxTokens: 200 },
  });
  const cluster = stack.use(
    await startCluster({ agents, tools: inlineTools({ calculate }), modelUrl: tap.url, ...options }),
  );
  tap.target = cluster.simulator.url;
  const owned = stack.move();
  return { cluster, tap, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

test.concurrent.each([
  ["signed thinking that max_tokens cut", "/sim thinking=50", { maxTokens: 5 }],
  ["unsigned thinking that max_tokens cut", "/sim thinking=50 unsigned", { maxTokens: 5 }],
  ["unsigned thinking before its text", "/sim thinking=3 unsigned tokens=2", {}],
  ["blank text before a tool call", '/sim text="\\n\\n" tool=calculate input={"expression":"6*7"}', {}],
  ["half a surrogate pair", '/sim text="\\ud83d"', {}],
  ["no text at all", "/sim tokens=0", {}],
  ["arguments null", "/sim tool=calculate args=null", {}],
  ["arguments []", "/sim tool=calculate args=[]", {}],
  ["arguments of text", '/sim tool=calculate args="6*7"', {}],
  ["arguments that are no JSON", '/sim tool=calculate args={"expression":', {}],
  ["arguments 7", "/sim tool=calculate args=7", {}],
  [
    "two calls with one id",
    '/sim tool=calculate input={"expression":"1"} tool=calculate input={"expression":"2"} ids=same',
    {},
  ],
  ["odd ids", '/sim tool=calculate input={"expression":"1"} ids=odd', {}],
  ["a refusal without text", "/sim tokens=0 stop=refusal", {}],
  ["a refusal with text", "/sim tokens=3 stop=refusal", {}],
  ["a server tool that pauses", "/sim server_tool=web_search stop=pause_turn", {}],
] as const)("after an answer with %s the thread goes on", async (_name, message, config) => {
  await using tapped = await startTapped(config);
  const { client } = tapped.cluster;
  await client.chat(message, THREAD);
  // The same request again: its tool call has an id that the thread already has.
  await client.chat(`${message} `, THREAD);

  expect(await client.chat("/sim tokens=2", THREAD)).toMatchObject({ status: 200, body: { reply: "tok1 tok2" } });
});

test("a thread with tool calls is gone on with by an agent without tools", async () => {
  await using tapped = await startTapped();
  const { client } = tapped.cluster;
  await client.chat('/sim tool=calculate input={"expression":"6*7"}', THREAD);

  expect(await client.chat("/sim tokens=2", { ...THREAD, agent_id: "greeter" })).toMatchObject({ status: 200 });
});

test("a message that was canceled before it began is not acted on, and is marked", async () => {
  await using tapped = await startTapped({}, { runner: false });
  const { cluster, tap } = tapped;
  const withdrawn = await cluster.client.begin("delete everything", THREAD);
  await cluster.client.post(`/api/runs/${withdrawn}/cancel`);
  const next = await cluster.client.begin("hello", THREAD);
  await cluster.startRunner();
  await vi.waitFor(async () => expect(await runOf(cluster, next)).toMatchObject({ status: "completed" }));

  expect(JSON.stringify(tap.asked)).not.toContain("delete everything");
  const [first, second] = await messagesOf(cluster);
  expect(first).toMatchObject({ content: "delete everything", sent: false, why: "withdrawn" });
  expect(second).not.toHaveProperty("sent");
});

test("what a canceled run has said stays in its thread, and the next run knows it", async () => {
  await using tapped = await startTapped();
  const { cluster, tap } = tapped;
  const runId = await cluster.client.begin("/sim tokens=10000 rate=100", THREAD);
  await readUntil(await eventsOf(cluster, runId), ({ type }) => type === "TEXT_MESSAGE_CONTENT");
  await cluster.client.post(`/api/runs/${runId}/cancel`);
  await vi.waitFor(async () => expect(await runOf(cluster, runId)).toMatchObject({ status: "canceled" }));
  await cluster.client.chat("/sim tokens=1", THREAD);

  const [, cut] = await messagesOf(cluster);
  expect(cut).toMatchObject({
    role: "assistant",
    cut: "canceled",
    content: [{ text: expect.stringMatching(/^tok1/) }],
  });
  const [, said, then] = tap.asked.at(-1)?.messages ?? [];
  expect(said).toEqual({ role: "assistant", content: cut?.["content"] });
  expect(then?.content).toMatchObject([
    { text: "[The answer above was stopped before its end.]" },
    { text: "/sim tokens=1" },
  ]);
});

test("a model that is unavailable leaves what it said; the message sent again is sent once", async () => {
  await using tapped = await startTapped();
  const { cluster, tap } = tapped;
  const message = "/sim tokens=6 cut times=4";
  expect((await cluster.client.chat(message, THREAD)).body.code).toBe("MODEL_UNAVAILABLE");

  expect(await cluster.client.chat(message, THREAD)).toMatchObject({ status: 200 });

  const said = JSON.stringify(tap.asked.at(-1)?.messages);
  expect(said.split("/sim").length - 1).toBe(1);
  const messages = await messagesOf(cluster);
  expect(messages).toMatchObject([{}, { role: "assistant", cut: "error" }, { sent: false, why: "repeated" }, {}]);
});

test("the model is told which tools of a canceled run finished, never began, or may have had effects", async () => {
  const began = Promise.withResolvers<void>();
  const slow = defineTool({
    description: "Slow.",
    input: z.object({}),
    run: (_input, { signal }) => {
      began.resolve();
      return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    },
  });
  const agents = { tools: ["calculate", "slow"] };
  await using tapped = await startTapped(agents, { tools: inlineTools({ calculate, slow }) });
  const { cluster, tap } = tapped;
  const message = '/sim tool=calculate input={"expression":"6*7"} tool=slow input={}';
  const runId = await cluster.client.begin(message, THREAD);
  await began.promise;
  await readUntil(await eventsOf(cluster, runId), ({ type }) => type === "TOOL_CALL_RESULT");
  await cluster.client.post(`/api/runs/${runId}/cancel`);
  await vi.waitFor(async () => expect(await runOf(cluster, runId)).toMatchObject({ status: "canceled" }));

  await cluster.client.chat("/sim tokens=1", THREAD);

  expect(tap.asked.at(-1)?.messages.at(-1)?.content).toMatchObject([
    { type: "tool_result", content: "6*7 = 42" },
    { type: "tool_result", content: expect.stringContaining("outcome is unknown"), is_error: true },
    { type: "text", text: "/sim tokens=1" },
  ]);
});

test.each([
  ["/sim tokens=3", {}, { status: "completed", reply: "tok1 tok2 tok3", finish_reason: "stop" }],
  ["/sim tokens=30", { maxTokens: 2 }, { status: "completed", reply: "tok1 tok2", finish_reason: "max_tokens" }],
  ["/sim tokens=2 stop=refusal", {}, { status: "completed", reply: "tok1 tok2", finish_reason: "refusal" }],
  ["/sim tokens=0 stop=refusal", {}, { code: "MODEL_REFUSED", status: 422 }],
] as const)("%s says how it ended", async (message, config, expected) => {
  await using tapped = await startTapped(config);
  const { cluster } = tapped;

  const { body } = await cluster.client.chat(message, { run_id: "mine" });

  expect(body).toMatchObject(expected);
  const reason = "finish_reason" in expected ? expected.finish_reason : "refusal";
  expect(await runOf(cluster, "mine")).toMatchObject({ finish_reason: reason });
  expect((await cluster.client.events("mine")).at(-1)).toMatchObject({ finish_reason: reason });
  expect((await cluster.client.get("/api/chat/task/mine")).body).toMatchObject({ finish_reason: reason });
});

test("an answer that pauses for a tool of the API is gone on with", async () => {
  await using tapped = await startTapped();
  const { cluster, tap } = tapped;

  const { body } = await cluster.client.chat("/sim server_tool=web_search stop=pause_turn times=1", { run_id: "mine" });

  expect(body).toMatchObject({ status: "completed", finish_reason: "stop" });
  expect(tap.asked.length).toBeGreaterThan(1);
  expect(tap.asked[1]?.messages.at(-1)?.role).toBe("assistant");
});

test("at its time limit a run stops its tools and has a last word", async () => {
  const stuck = defineTool({ description: "Stuck.", input: z.object({}), run: () => new Promise(() => {}) });
  const config = { tools: ["stuck"], limits: { timeoutMs: 2_000 } };
  await using tapped = await startTapped(config, { tools: inlineTools({ stuck }) });
  const { cluster, tap } = tapped;

  const { body } = await cluster.client.chat("/sim tool=stuck input={}", { run_id: "mine" });

  expect(body).toMatchObject({ status: "completed", finish_reason: "time_limit" });
  expect(tap.asked).toHaveLength(2);
  expect(tap.asked[1]).toMatchObject({ tool_choice: { type: "none" } });
  expect(JSON.stringify(tap.asked[1]?.messages.at(-1))).toMatch(/outcome is unknown.*The time is nearly up/);
});

test("the model is told how many steps are left when they are few", async () => {
  await using tapped = await startTapped({ limits: { maxSteps: 5 } });
  const { cluster, tap } = tapped;

  const { body } = await cluster.client.chat("/sim loop", THREAD);

  expect(body).toMatchObject({ status: "completed", finish_reason: "step_limit" });
  const notes = tap.asked.map(
    ({ messages }) => JSON.stringify(messages.at(-1)).match(/\[(\d steps? (is|are) left)/)?.[1],
  );
  expect(notes).toEqual([undefined, "3 steps are left", "1 step is left", undefined]);
});

const runOf = async (cluster: Cluster, runId: string) => (await cluster.client.get(`/api/runs/${runId}`)).body;

const eventsOf = (cluster: Cluster, runId: string): Promise<Response> =>
  cluster.client.fetch(`/api/runs/${runId}/events`, { headers: { accept: "text/event-stream" } });

async function messagesOf(cluster: Cluster): Promise<Record<string, unknown>[]> {
  return (await cluster.client.get("/api/threads/t")).body["messages"] as Record<string, unknown>[];
}

test.each([
  ["no JSON", '{"expression":'],
  ["nested too deeply", `{"expression":${"[".repeat(20_000)}1${"]".repeat(20_000)}}`],
])("of arguments that are %s the model is told, once, and the tool does not run", async (_what, given) => {
  await using tapped = await startTapped({ maxTokens: 50_000 });

  const { body } = await tapped.cluster.client.chat(`/sim tool=calculate args=${given}`, THREAD);

  expect(body).toMatchObject({ status: "completed", steps: 2 });
  expect(tapped.tap.asked).toHaveLength(2);
  const [result] = tapped.tap.asked[1]?.messages.at(-1)?.content ?? [];
  expect(result).toMatchObject({
    type: "tool_result",
    is_error: true,
    content: expect.stringMatching(/are no JSON, so it did not run\. They begin: (\(nested .*\) )?\{"expression":/),
  });
});

test("what an answer cites is kept, shown, and goes back as it came", async () => {
  await using tapped = await startTapped();
  const { client } = tapped.cluster;

  const { body } = await client.chat("/sim server_tool=web_search tokens=2", THREAD);

  const cited = (await client.events(body.run_id)).filter(({ name }) => name === "evenkeel.citation");
  expect(cited.map(({ value }) => value)).toEqual([
    expect.objectContaining({ title: "A page that the simulated model found", url: "https://example.org/simulated" }),
  ]);
  const { body: thread } = await client.get("/api/threads/t");
  const messages = thread["messages"] as { content: { type: string; citations?: unknown[] }[] }[];
  const stored = messages.at(-1)?.content.at(-1)?.citations;
  expect(stored).toEqual([
    expect.objectContaining({ type: "web_search_result_location", encrypted_index: "c2ltdWxhdGVk" }),
  ]);
  expect(await client.chat("/sim tokens=1", THREAD)).toMatchObject({ status: 200 });
  const sent = tapped.tap.asked.at(-1)?.messages.flatMap(({ content }) => content);
  expect(sent?.find(({ citations }) => citations !== undefined)?.["citations"]).toEqual(stored);
});
