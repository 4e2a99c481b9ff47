import { expect, test } from "vitest";
import { defineAccess } from "../core/access.ts";
import { defineAgents, type AgentConfig } from "../core/agent.ts";
import { startCluster, type Cluster } from "../testing/cluster.ts";
import { problemsOf } from "../testing/journal.ts";

const PRICE = { input: 1, output: 1_000_000, cache_read: 0, cache_write: 0 };

function startWith(budget: NonNullable<AgentConfig["budget"]>, more: Partial<AgentConfig> = {}): Promise<Cluster> {
  const agents = defineAgents({
    assistant: { model: "m", price: PRICE, tools: ["current_time"], maxTokens: 50, budget, ...more },
  });
  return startCluster({ agents });
}

/** The model calls a tool until the run is stopped; each answer has a word before its call. */
const LOOP = "/sim loop tokens=3";

test("a run whose budget is used up ends with what it has said, one call beyond at most", async () => {
  await using cluster = await startWith({ run: { dollars: 40 } });

  const { body } = await cluster.client.chat(LOOP);

  expect(body).toMatchObject({ status: "completed", finish_reason: "budget", reply: expect.stringContaining("tok1") });
  expect(problemsOf(await cluster.client.events(body.run_id))).toEqual([]);
  const run = await cluster.engine.run(body.run_id);
  const perCall = (run?.spent.dollars ?? 0) / cluster.simulator.stats().requests;
  expect(run?.spent.dollars).toBeGreaterThanOrEqual(40);
  expect(run?.spent.dollars).toBeLessThan(40 + perCall);
});

test("when nothing is left at the start, the run fails with what it met and when it begins anew", async () => {
  await using cluster = await startWith({ day: { tokens: 1 } });
  await cluster.client.chat("/sim tokens=2");
  const requests = cluster.simulator.stats().requests;

  const { body } = await cluster.client.chat("/sim tokens=2");

  expect(body).toMatchObject({
    status: 429,
    code: "BUDGET_EXCEEDED",
    detail:
      "Agent assistant has used up the budget of this day, 1 tokens (budget.day.tokens). It begins anew at 00:00 UTC.",
  });
  expect((await cluster.engine.run(body.run_id))?.finish_reason).toBe("budget");
  expect(cluster.simulator.stats().requests).toBe(requests);
});

test("runs that start at once overspend the day's budget by one call at most", async () => {
  await using cluster = await startWith({ day: { dollars: 100 } });

  const replies = await Promise.all(Array.from({ length: 20 }, () => cluster.client.chat("/sim tokens=20")));

  const [row] = await cluster.engine.spending({ by: "agent", since: "2000-01-01" });
  const perCall = (row?.dollars ?? 0) / (row?.calls ?? 1);
  expect(row?.dollars).toBeGreaterThanOrEqual(100);
  expect(row?.dollars).toBeLessThan(100 + perCall);
  const refused = replies.filter(({ body }) => body.code === "BUDGET_EXCEEDED");
  expect(refused.length).toBe(20 - (row?.calls ?? 0));
});

test("a summary and the answer behind it reserve a budget each", async () => {
  await using cluster = await startWith({ run: { tokens: 10 } }, { context: { tokens: 2_000, keepTurns: 1 } });
  for (const turn of [1, 2, 3]) await cluster.client.chat(`turn ${turn} ${"y".repeat(1_600)}`, { thread_id: "t" });
  const { requests } = cluster.simulator.stats();

  const { body } = await cluster.client.chat(`turn 4 ${"y".repeat(3_200)}`, { thread_id: "t" });

  expect(body).toMatchObject({ code: "BUDGET_EXCEEDED" });
  expect(problemsOf(await cluster.client.events(body.run_id))).toEqual([]);
  expect(cluster.simulator.stats().requests).toBe(requests + 1);
});

test("what was spent is read by agent, principal, model and day", async () => {
  await using cluster = await startCluster();
  await cluster.client.chat("/sim tokens=10");

  const { body } = await cluster.client.get("/api/usage?by=model&days=7");

  expect(body).toMatchObject({
    by: "model",
    since: expect.stringMatching(/^\d{4}-\d\d-\d\d$/),
    usage: [{ key: "claude-sonnet-5-5", calls: 1, usage: { output_tokens: 10 }, dollars: expect.any(Number) }],
  });
  expect((await cluster.client.get("/api/usage?by=week")).body).toMatchObject({
    code: "INVALID_REQUEST",
    detail: expect.stringContaining("one of agent, principal, model, day"),
  });
});

test("a budget in dollars needs a price, and an unknown scope is refused", () => {
  expect(() => defineAgents({ a: { model: "m", budget: { run: { dollars: 1 } } } })).toThrow(
    "expected `price`, because `budget.run.dollars` is counted by it",
  );
  const unknown = { week: { tokens: 1 } } as unknown as AgentConfig["budget"];
  expect(() => defineAgents({ a: { model: "m", budget: unknown } })).toThrow("no `budget.week`");
});

test("a principal's budget for all agents ends the runs of each of them, and names its file", async () => {
  const agents = defineAgents({ one: { model: "m" }, two: { model: "m" } });
  const access = defineAccess({ budget: { principalDay: { tokens: 1 } } });
  await using cluster = await startCluster({ agents, access });
  expect((await cluster.client.chat("/sim tokens=2", { agent_id: "one" })).status).toBe(200);

  expect((await cluster.client.chat("/sim tokens=2", { agent_id: "two" })).body).toMatchObject({
    code: "BUDGET_EXCEEDED",
    detail: expect.stringContaining(
      "your budget of this day for all agents, 1 tokens (budget.principalDay.tokens in config/access.ts)",
    ),
  });
});
