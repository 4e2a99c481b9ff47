import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { z } from "zod";
import { defineTool } from "../agent/tools/tool.ts";
import { defineMcpServers } from "../core/mcp-servers.ts";
import { startCluster, type Cluster } from "../testing/cluster.ts";
import { inlineTools } from "../testing/inline-tools.ts";
import { problemsOf } from "../testing/journal.ts";

const seen: unknown[] = [];
const tools = inlineTools({
  add: defineTool({
    description: "Adds.",
    input: z.object({ a: z.number(), b: z.number() }),
    run: ({ a, b }, { principal, metadata, agentId }) => {
      seen.push({ principal, metadata, agentId });
      return a + b;
    },
  }),
  wait: defineTool({
    description: "Waits.",
    input: z.object({}),
    timeoutMs: 50,
    run: (_input, { signal, progress }) => {
      progress("waiting");
      return delay(600, "waited", { signal });
    },
  }),
});

/** Begins a job and reads it to its end. */
async function job(cluster: Cluster, body: object) {
  const accepted = await cluster.client.post("/api/jobs", body);
  expect(accepted.status).toBe(202);
  const runId = accepted.body["run_id"];
  await cluster.client.follow(runId).then((response) => response.text());
  const events = await cluster.client.events(runId);
  expect(problemsOf(events)).toEqual([]);
  return { run: (await cluster.client.get(`/api/runs/${runId}`)).body, events };
}

test("a job runs its tool without a model, and stands among the runs with what the tool answered", async () => {
  await using cluster = await startCluster({ tools });

  const { run, events } = await job(cluster, { tool: "add", input: { a: 2, b: 3 }, metadata: { for: "Ada" } });

  expect(run).toMatchObject({ agent_id: "tool:add", status: "completed", reply: "5", steps: 1 });
  expect(seen.at(-1)).toMatchObject({ metadata: { for: "Ada" }, agentId: "tool:add" });
  const types = events.map(({ type }) => type).filter((type) => type.startsWith("TOOL_CALL"));
  expect(types).toEqual(["TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END", "TOOL_CALL_RESULT"]);
  expect(cluster.simulator.stats().requests).toBe(0);
  const task = await cluster.client.get(`/api/chat/task/${run["run_id"]}`);
  expect(task.body).toMatchObject({ status: "completed", result: { reply: "5" } });
  expect((await cluster.client.get("/api/threads")).body["threads"]).toEqual([]);
});

test.each([
  [{ tool: "nothing" }, "There is no tool nothing. There are: add, wait"],
  [{ tool: "away__do" }, "The tools of away are not available now: its command was not found"],
  [{ tool: "nowhere__do" }, "There is no tool nowhere__do."],
  [{ tool: "add", input: { a: 1 } }, "The arguments do not fit"],
])("a job that cannot be done fails with what the tool would tell a model", async (body, detail) => {
  const mcpServers = defineMcpServers({ away: { command: "no-such-program" } });
  await using cluster = await startCluster({ tools, mcpServers });

  const { run } = await job(cluster, body);

  expect(run).toMatchObject({
    status: "failed",
    error: { code: "TOOL_FAILED", detail: expect.stringContaining(detail) },
  });
});

test("a job has the time that it asks for, instead of the tool's own", async () => {
  await using cluster = await startCluster({ tools });

  expect((await job(cluster, { tool: "wait" })).run).toMatchObject({ status: "completed", reply: "waited" });
  expect((await job(cluster, { tool: "wait", timeout_ms: 100 })).run).toMatchObject({ status: "failed" });
});

test("a job is canceled like any other run", async () => {
  await using cluster = await startCluster({ tools });
  await cluster.client.post("/api/jobs", { tool: "wait", run_id: "mine" });
  await vi.waitFor(async () =>
    expect((await cluster.client.events("mine")).some(({ name }) => name === "evenkeel.progress")).toBe(true),
  );

  await cluster.client.post("/api/runs/mine/cancel");

  await cluster.client.follow("mine").then((response) => response.text());
  expect((await cluster.client.get("/api/runs/mine")).body).toMatchObject({ status: "canceled" });
});

test("a job that another process goes on with keeps its call: it is the one that has the result", async () => {
  let calls = 0;
  const slow = defineTool({
    description: "Answers the second time.",
    input: z.object({}),
    effects: "idempotent",
    run: async (_input, { signal }) => {
      calls += 1;
      if (calls === 1) await once(signal, "abort");
      return "done";
    },
  });
  await using cluster = await startCluster({ tools: inlineTools({ slow }) });
  await cluster.client.post("/api/jobs", { tool: "slow", input: {}, run_id: "job" });
  await vi.waitFor(() => expect(calls).toBe(1));

  const claimed = (await cluster.client.events("job")).find(({ name }) => name === "evenkeel.claimed");
  const { machine } = (claimed?.value ?? {}) as { machine?: string };
  await cluster.engine.release({ machine: machine ?? "", exceptBoot: "another" }, "crashed");
  await cluster.client.follow("job").then((response) => response.text());

  const events = await cluster.client.events("job");
  expect(problemsOf(events)).toEqual([]);
  const voided = events.flatMap(({ name, value }) => (name === "evenkeel.attempt" ? [value] : []));
  expect(voided).toMatchObject([{ void: [] }]);
  const called = events.filter(({ type }) => type === "TOOL_CALL_START" || type === "TOOL_CALL_RESULT");
  expect(new Set(called.map(({ toolCallId }) => toolCallId)).size).toBe(1);
});

test("a job that is sent again is the same job, and another one under its id is refused", async () => {
  await using cluster = await startCluster({ tools });
  const body = { tool: "add", input: { a: 1, b: 1 }, run_id: "mine" };

  const first = await cluster.client.post("/api/jobs", body);
  const again = await cluster.client.post("/api/jobs", body);
  const other = await cluster.client.post("/api/jobs", { ...body, input: { a: 2, b: 2 } });

  expect(again.body).toEqual(first.body);
  expect(other).toMatchObject({ status: 409, body: { code: "RUN_ID_TAKEN" } });
});

test.each([
  [{}, "tool"],
  [{ tool: "no name" }, "tool"],
  [{ tool: "add", input: [1] }, "input"],
  [{ tool: "add", timeout_ms: 0 }, "timeout_ms"],
  [{ tool: "add", arguments: {} }, "arguments"],
])("a job that does not fit is refused by field: %j", async (body, field) => {
  await using cluster = await startCluster({ tools });

  const refused = await cluster.client.post("/api/jobs", body);

  expect(refused).toMatchObject({
    status: 400,
    body: { code: "INVALID_REQUEST", detail: expect.stringContaining(field) },
  });
});
