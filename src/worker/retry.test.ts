/** `POST /api/runs/{id}/retry`, from the request to what the model gets. */
import { once } from "node:events";
import { expect, test, vi } from "vitest";
import { z } from "zod";
import { defineTool, type ToolContext } from "../agent/tools/tool.ts";
import { defineAgents } from "../core/agent.ts";
import { startCluster } from "../testing/cluster.ts";
import { inlineTools } from "../testing/inline-tools.ts";
import { readAll } from "../testing/sse.ts";

const input = z.looseObject({});

test("a call that retries repeat has the key under which it was begun first, and a delegated run is begun anew", async () => {
  const keys: string[] = [];
  const pay = async (_input: object, { idempotencyKey, signal }: ToolContext) => {
    keys.push(idempotencyKey);
    if (keys.length < 3) await once(signal, "abort");
    signal.throwIfAborted();
    return "paid";
  };
  await using cluster = await startCluster({
    agents: defineAgents({ assistant: { model: "m", tools: ["pay"], delegates: ["helper"] }, helper: { model: "m" } }),
    tools: inlineTools({ pay: defineTool({ description: "Pays.", input, effects: "idempotent", run: pay }) }),
  });
  const { client, engine } = cluster;
  const task = JSON.stringify({ agent_id: "helper", message: "/sim tokens=40 rate=20" });
  let runId = await client.begin(`/sim tool=pay input={} tool=delegate input=${task}`, { agent_id: "assistant" });
  for (const begun of [1, 2]) {
    await vi.waitFor(() => expect(keys).toHaveLength(begun));
    await vi.waitFor(async () =>
      expect(await engine.runs({ limit: 9, parentRunId: runId })).toMatchObject({ items: [{}] }),
    );
    await client.post(`/api/runs/${runId}/cancel`);
    await readAll(await client.follow(runId));
    runId = (await client.post(`/api/runs/${runId}/retry`)).body.run_id;
  }
  await readAll(await client.follow(runId));

  expect(keys).toHaveLength(3);
  expect(new Set(keys).size).toBe(1);
  const delegated = await engine.runs({ limit: 9, parentRunId: runId });
  expect(delegated.items).toMatchObject([{ status: "completed" }]);
  expect((await engine.run(runId))?.reply).toContain("paid");
}, 30_000);

test("a run that was canceled in the middle of its tools goes on: those that had finished are not repeated", async () => {
  const quick = vi.fn<() => string>(() => "42");
  const slow = vi.fn<() => Promise<string>>().mockReturnValueOnce(Promise.withResolvers<string>().promise);
  slow.mockResolvedValue("done");
  await using cluster = await startCluster({
    agents: defineAgents({ assistant: { model: "m", tools: ["quick", "slow"] } }),
    tools: inlineTools({
      quick: defineTool({ description: "Answers.", input, effects: "unsafe", run: quick }),
      slow: defineTool({ description: "Answers late.", input, effects: "pure", run: slow }),
    }),
  });
  const { client } = cluster;
  const runId = await client.begin("/sim tool=quick input={} tool=slow input={}", { thread_id: "thread" });
  await vi.waitFor(() => expect([quick, slow].map(({ mock }) => mock.calls.length)).toEqual([1, 1]));
  await client.post(`/api/runs/${runId}/cancel`);
  await readAll(await client.follow(runId));

  const retry = await client.post(`/api/runs/${runId}/retry`);
  const { run_id: again } = retry.body;
  await readAll(await client.follow(again));
  const repeat = await client.post(`/api/runs/${runId}/retry`);

  expect(retry).toMatchObject({ status: 202, body: { retry_of: runId, thread_id: "thread", status: "queued" } });
  expect(retry.headers.get("location")).toBe(`/api/runs/${again}`);
  expect(repeat).toMatchObject({ status: 200, body: { run_id: again, status: "completed" } });
  expect(repeat.body.reply).toContain("The tool quick answered: 42");
  expect(repeat.body.reply).toContain("The tool slow answered: done");
  expect([quick, slow].map(({ mock }) => mock.calls.length)).toEqual([1, 2]);
  expect(cluster.simulator.stats().requests).toBe(2);
});

test("what has nothing to retry says what to do instead", async () => {
  await using cluster = await startCluster();
  const { body } = await cluster.client.chat("hello");

  expect(await cluster.client.post(`/api/runs/${body.run_id}/retry`)).toMatchObject({
    status: 409,
    body: {
      code: "NOT_RETRYABLE",
      detail: `Run ${body.run_id} is completed, so there is nothing to retry; send the next message of its thread.`,
    },
  });
  expect(await cluster.client.post("/api/runs/nobody/retry")).toMatchObject({ status: 404 });
});
