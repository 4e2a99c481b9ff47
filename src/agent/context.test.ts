/** Threads that grow too long for their model: the model gets a shorter thread, and readers lose nothing. */
import { expect, test } from "vitest";
import { z } from "zod";
import { defineAgents, type AgentConfig } from "../core/agent.ts";
import { startCluster, type Cluster, type ClusterOptions } from "../testing/cluster.ts";
import { inlineTools } from "../testing/inline-tools.ts";
import { ModelTap } from "../testing/model-tap.ts";
import { defineTool } from "./tools/tool.ts";

const THREAD = { thread_id: "t" };

const read = defineTool({
  description: "Reads.",
  input: z.object({ characters: z.int() }),
  effects: "pure",
  run: ({ characters }) => "x".repeat(characters),
});

interface Tapped extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly tap: ModelTap;
}

async function startTapped(config: Partial<AgentConfig>, options: ClusterOptions = {}): Promise<Tapped> {
  await using stack = new AsyncDisposableStack();
  const tap = stack.use(await ModelTap.open());
  const agents = defineAgents({ assistant: { model: "m", tools: ["read"], maxTokens: 300, ...config } });
  const cluster = stack.use(
    await startCluster({ agents, tools: inlineTools({ read }), modelUrl: tap.url, ...options }),
  );
  tap.target = cluster.simulator.url;
  const owned = stack.move();
  return { cluster, tap, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** A model that accepts 20,000 characters. */
const SMALL = { contextTokens: Math.floor(20_000 / 3.5) };

test("a message that is longer than the model takes is refused with both sizes, and the thread goes on", async () => {
  await using tapped = await startTapped({}, SMALL);
  const { client } = tapped.cluster;

  const { status, body } = await client.chat("x".repeat(30_000), THREAD);

  expect({ status, code: body.code }).toEqual({ status: 413, code: "CONTEXT_TOO_LARGE" });
  expect(body.detail).toMatch(/needs about \d{4,5} tokens .* has room for \d{4} /);
  expect(await client.chat("hi", THREAD)).toMatchObject({ status: 200, body: { status: "completed" } });
  expect((await messagesOf(tapped.cluster))[0]).toMatchObject({ sent: false, why: "too_large" });
});

test("a message that can never fit is refused before there is a run", async () => {
  await using tapped = await startTapped({ context: { tokens: 1_000 } });
  const { client } = tapped.cluster;

  expect(await client.chat("x".repeat(4_000))).toMatchObject({ status: 413, body: { code: "CONTEXT_TOO_LARGE" } });
  expect((await client.get("/api/runs")).body["runs"]).toEqual([]);
});

test("results of the calls of one answer that are too long for the model together are cut to fit", async () => {
  await using tapped = await startTapped({}, SMALL);
  const call = 'tool=read input={"characters":8000}';

  const { body } = await tapped.cluster.client.chat(`/sim ${call} ${call} ${call}`, THREAD);

  expect(body).toMatchObject({ status: "completed" });
  const results = tapped.tap.asked.at(-1)?.messages.at(-1)?.content ?? [];
  expect(results.map(({ content }) => String(content).includes("[cut: "))).toEqual([true, true, true]);
});

test("above the budget old tool results are left out first, oldest first, and what was said stays", async () => {
  await using tapped = await startTapped({ context: { tokens: 6_000 } });
  const { cluster, tap } = tapped;
  for (const turn of [1, 2, 3, 4])
    await cluster.client.chat(`turn ${turn}\n/sim tool=read input={"characters":4000}`, THREAD);

  await cluster.client.chat("/sim tokens=1", { ...THREAD, run_id: "last" });

  const asked = JSON.stringify(tap.asked.at(-1)?.messages);
  expect(asked).toMatch(/Cleared to save space: 4000 characters.*xxxx/);
  for (const turn of [1, 2, 3, 4]) expect(asked).toContain(`turn ${turn}`);
  expect(JSON.stringify(await messagesOf(cluster)).match(/x{4000}/g)).toHaveLength(4);
  expect(await compactionsOf(cluster)).toMatchObject([{ cleared_results: 3, summarized_messages: 0 }]);
});

test("when that is not enough the oldest turns become a summary, as a step that is paid for", async () => {
  await using tapped = await startTapped({ context: { tokens: 2_000, keepTurns: 2 } });
  const { cluster, tap } = tapped;
  for (const turn of [1, 2, 3, 4, 5]) await cluster.client.chat(`turn ${turn} ${"y".repeat(1_600)}`, THREAD);

  const { body } = await cluster.client.chat("/sim tokens=1", { ...THREAD, run_id: "last" });

  expect(body).toMatchObject({ status: "completed", reply: "tok1" });
  const summaries = tap.asked.filter(({ system }) => JSON.stringify(system ?? "").includes("You summarize"));
  expect(summaries.length).toBeGreaterThan(0);
  const asked = JSON.stringify(tap.asked.at(-1)?.messages);
  expect(asked).toContain("Summary of the conversation so far");
  expect(asked).toContain("turn 5");
  expect(asked).not.toContain(`turn 1 ${"y".repeat(200)}`);
  const shown = (await messagesOf(cluster)).map(({ content }) => String(content).slice(0, 6));
  expect(shown).toEqual(expect.arrayContaining(["turn 1", "turn 2", "turn 3", "turn 4", "turn 5"]));
  const compactions = await compactionsOf(cluster);
  expect(compactions.length).toBe(summaries.length);
  for (const { tokens_before, tokens_after, budget } of compactions as Record<string, number>[]) {
    expect(tokens_before).toBeGreaterThan(budget ?? 0);
    expect(tokens_after).toBeLessThanOrEqual(budget ?? 0);
  }
});

test("a single long run is made shorter too, and does not forget what it was asked", async () => {
  await using tapped = await startTapped({ context: { tokens: 2_000 } });
  const { cluster, tap } = tapped;

  const { body } = await cluster.client.chat(`remember me ${"z".repeat(300)}\n/sim loop`, THREAD);

  expect(body).toMatchObject({ status: "completed" });
  expect(JSON.stringify(tap.asked.at(-1)?.messages)).toContain("remember me");
});

test("`onFull: clear` leaves the oldest turns out without a summary, `fail` refuses", async () => {
  for (const onFull of ["clear", "fail"] as const) {
    await using tapped = await startTapped({ context: { tokens: 2_000, keepTurns: 1, onFull } });
    const { cluster, tap } = tapped;
    for (const turn of [1, 2, 3]) await cluster.client.chat(`turn ${turn} ${"y".repeat(1_600)}`, THREAD);

    const { status } = await cluster.client.chat(`turn 4 ${"y".repeat(1_600)}`, THREAD);

    expect(status).toBe(onFull === "clear" ? 200 : 413);
    expect(JSON.stringify(tap.asked)).not.toContain("You summarize");
  }
});

test("a `maxTokens` that the model refuses leaves the thread as it is, and the client reads the model's own words", async () => {
  await using tapped = await startTapped({ maxTokens: 64_000, context: { keepTurns: 1 } });
  const { cluster, tap } = tapped;
  for (const turn of [1, 2, 3]) await cluster.client.chat(`turn ${turn} hello hello hello`, THREAD);
  const reason =
    "max_tokens: 64000 > 32000, which is the maximum allowed number of output tokens for claude-opus-4-1-20250805";
  tap.answer = ({ max_tokens: most }) => (Number(most) > 32_000 ? rejected(reason) : undefined);

  const { body } = await cluster.client.chat("hi", THREAD);

  expect(body).toMatchObject({ code: "MODEL_REJECTED", detail: expect.stringContaining(reason) });
  tap.answer = () => undefined;
  expect(await cluster.client.chat("hi", THREAD)).toMatchObject({ status: 200 });
  expect(JSON.stringify(tap.asked.at(-1)?.messages)).toContain("turn 1 hello");
  expect(await compactionsOf(cluster)).toEqual([]);
});

function rejected(message: string): Response {
  return Response.json({ type: "error", error: { type: "invalid_request_error", message } }, { status: 400 });
}

async function messagesOf(cluster: Cluster): Promise<Record<string, unknown>[]> {
  return (await cluster.client.get("/api/threads/t")).body["messages"] as Record<string, unknown>[];
}

/** The values of all `evenkeel.compacted` of the thread. */
async function compactionsOf(cluster: Cluster): Promise<object[]> {
  const { runs } = (await cluster.client.get("/api/runs?thread_id=t")).body as unknown as {
    runs: { run_id: string }[];
  };
  const journals = await Promise.all(runs.map(({ run_id: id }) => cluster.client.events(id)));
  return journals.flat().flatMap(({ name, value }) => (name === "evenkeel.compacted" && value ? [value] : []));
}
