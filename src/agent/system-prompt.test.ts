import { expect, test } from "vitest";
import { defineAgents, type SystemPrompt } from "../core/agent.ts";
import { inlineTools } from "../testing/inline-tools.ts";
import { startCluster } from "../testing/cluster.ts";

const agentsWith = (system: SystemPrompt) => defineAgents({ assistant: { model: "simulated", system } });

test("a function makes the system prompt of what is known of the run", async () => {
  const asked: unknown[] = [];
  const agents = agentsWith(({ principal, metadata, threadId, now }) => {
    asked.push({ principal, metadata, threadId, isNow: Math.abs(Date.now() - now.getTime()) < 10_000 });
    return `You help ${String(metadata["name"])}.`;
  });
  await using cluster = await startCluster({ agents, tools: inlineTools({}) });

  const { body } = await cluster.client.chat("hello", { thread_id: "t1", metadata: { name: "Ada" } });

  expect(body.status).toBe("completed");
  const metadata = { name: "Ada" };
  expect(asked).toEqual([{ principal: expect.any(String), metadata, threadId: "t1", isNow: true }]);
});

test.each([
  ["throws", () => Promise.reject(new Error("no database")), "cannot be made: no database"],
  ["returns no text", () => 7 as unknown as string, "Expected it to return a text, got number."],
])("a function that %s fails the run with that", async (_what, system, reason) => {
  await using cluster = await startCluster({ agents: agentsWith(system), tools: inlineTools({}) });

  const { body } = await cluster.client.chat("hello");

  expect(body).toMatchObject({ status: 500, code: "INTERNAL", detail: expect.stringContaining(reason) });
});

test("a function that never ends is ended with its run", async () => {
  const agents = defineAgents({
    assistant: { model: "simulated", system: () => new Promise<string>(() => {}), limits: { timeoutMs: 200 } },
  });
  await using cluster = await startCluster({ agents, tools: inlineTools({}) });

  expect((await cluster.client.chat("hello")).body).toMatchObject({ code: "RUN_TIMEOUT" });
});
