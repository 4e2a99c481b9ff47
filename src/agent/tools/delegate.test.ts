import { expect, test, vi } from "vitest";
import { defineAgents } from "../../core/agent.ts";
import { MAX_DELEGATION_DEPTH, type Run } from "../../core/run.ts";
import { startCluster, type Cluster } from "../../testing/cluster.ts";
import { problemsOf } from "../../testing/journal.ts";
import { readUntil } from "../../testing/sse.ts";

const agents = defineAgents({
  lead: { model: "m", delegates: ["helper", "lead"] },
  helper: { model: "m", description: "Helps." },
  hasty: { model: "m", delegates: ["helper"], limits: { timeoutMs: 3_000 } },
});

const delegating = (...works: readonly [agentId: string, message: string][]) =>
  `/sim ${works.map(([agent_id, message]) => `tool=delegate input=${JSON.stringify({ agent_id, message })}`).join(" ")}`;

const LONG = "/sim tokens=100000 rate=20";

async function childrenOf(cluster: Cluster, runId: string): Promise<readonly Run[]> {
  return (await cluster.engine.runs({ limit: 50, parentRunId: runId })).items;
}

/** Begins a run that delegates, and waits until the other agent's first text. */
async function beginLong(cluster: Cluster, agentId: string): Promise<{ runId: string; child: Run }> {
  const runId = await cluster.client.begin(delegating(["helper", LONG]), { agent_id: agentId });
  const child = await vi.waitUntil(async () => (await childrenOf(cluster, runId))[0], { timeout: 5_000 });
  await readUntil(await cluster.client.follow(child.run_id), ({ type }) => type === "TEXT_MESSAGE_CONTENT");
  return { runId, child };
}

async function ended(cluster: Cluster, runId: string): Promise<Run> {
  await cluster.client.follow(runId).then((response) => response.text());
  const run = await cluster.engine.run(runId);
  if (!run) throw new Error(`Run ${runId} is gone.`);
  return run;
}

test("the other agent works in a run and a thread of its own, and its reply goes back to the model", async () => {
  await using cluster = await startCluster({ agents });

  const { body } = await cluster.client.chat(delegating(["helper", "/sim tokens=3"]), { agent_id: "lead" });

  const [child, ...more] = await childrenOf(cluster, body.run_id);
  expect(more).toEqual([]);
  expect(child).toMatchObject({ agent_id: "helper", status: "completed", reply: "tok1 tok2 tok3" });
  expect(child?.thread_id).not.toBe(body.thread_id);
  const events = await cluster.client.events(body.run_id);
  expect(problemsOf(events)).toEqual([]);
  const result = events.find(({ type }) => type === "TOOL_CALL_RESULT");
  expect(result).toMatchObject({ content: "tok1 tok2 tok3", toolCallId: expect.any(String) });
  expect(events.find(({ name }) => name === "evenkeel.waiting")?.value).toEqual({
    reason: "delegated to helper",
    tool_call_id: result?.toolCallId,
    run_id: child?.run_id,
    agent_id: "helper",
  });
});

test("while one of several delegated runs goes on, the list of runs finds the parent as parked", async () => {
  await using cluster = await startCluster({ agents });
  const runId = await cluster.client.begin(delegating(["helper", "/sim tokens=1"], ["helper", LONG]), {
    agent_id: "lead",
  });
  const children = async () => (await childrenOf(cluster, runId)).map(({ status }) => status);
  await expect.poll(children, { timeout: 5_000 }).toEqual(["running", "completed"]);

  const parked = async () => (await cluster.client.get("/api/runs?parked=true")).body["runs"];
  const waiting = { reason: "delegated to helper", until: null };
  await expect.poll(parked).toMatchObject([{ run_id: runId, status: "running", waiting }]);

  await cluster.client.post(`/api/runs/${runId}/cancel`);
  await ended(cluster, runId);
  expect(await parked()).toEqual([]);
});

test("several parts are worked on side by side, and one slot is enough for all of it", async () => {
  await using cluster = await startCluster({ agents, settings: { agentConcurrency: 1 } });
  const inner = delegating(["helper", "one"], ["helper", "two"]);

  const { body } = await cluster.client.chat(delegating(["lead", inner], ["lead", inner]), { agent_id: "lead" });

  expect(body.status).toBe("completed");
  const children = await childrenOf(cluster, body.run_id);
  expect(children.map(({ status }) => status)).toEqual(["completed", "completed"]);
  for (const child of children) expect(await childrenOf(cluster, child.run_id)).toHaveLength(2);
});

const tasksOf = (...works: readonly [agentId: string, message: string][]) =>
  `/sim tool=delegate input=${JSON.stringify({ tasks: works.map(([agent_id, message]) => ({ agent_id, message })) })}`;

async function resultOf(cluster: Cluster, runId: string) {
  const events = await cluster.client.events(runId);
  expect(problemsOf(events)).toEqual([]);
  return events.find(({ type }) => type === "TOOL_CALL_RESULT");
}

test("several tasks of one call run side by side in one slot, and their results come in order", async () => {
  await using cluster = await startCluster({ agents, settings: { agentConcurrency: 1 } });
  const tasks = tasksOf(["helper", "/sim tokens=3"], ["helper", "/sim status=400"], ["helper", "/sim tokens=1"]);

  const { body } = await cluster.client.chat(tasks, { agent_id: "lead" });

  expect(body.status).toBe("completed");
  const result = await resultOf(cluster, body.run_id);
  expect(JSON.parse(result?.content ?? "")).toEqual([
    { agent_id: "helper", status: "completed", reply: "tok1 tok2 tok3" },
    { agent_id: "helper", status: "failed", error: expect.stringContaining("400") },
    { agent_id: "helper", status: "completed", reply: "tok1" },
  ]);
  const children = await childrenOf(cluster, body.run_id);
  const events = await cluster.client.events(body.run_id);
  const waiting = events.filter(({ name }) => name === "evenkeel.waiting").map(({ value }) => value?.["run_id"]);
  expect(waiting).toEqual(children.map(({ run_id: id }) => id).toReversed());
});

test("a run with several tasks that is taken over begins none of them again", async () => {
  await using cluster = await startCluster({ agents, runner: false });
  const first = await cluster.startRunner();
  const work = tasksOf(["helper", "/sim tokens=30 rate=30"], ["helper", "/sim tokens=2"]);
  const runId = await cluster.client.begin(work, { agent_id: "lead" });
  await vi.waitFor(async () => expect(await childrenOf(cluster, runId)).toHaveLength(2), { timeout: 5_000 });

  await first.drain(0);
  await cluster.startRunner();

  expect(await ended(cluster, runId)).toMatchObject({ status: "completed", attempts: 2 });
  expect(await childrenOf(cluster, runId)).toHaveLength(2);
});

test.each([
  ["neither form", {}],
  ["both forms", { agent_id: "helper", message: "a", tasks: [{ agent_id: "helper", message: "b" }] }],
  ["half a form", { agent_id: "helper" }],
  ["no task", { tasks: [] }],
  ["too many tasks", { tasks: Array.from({ length: 17 }, () => ({ agent_id: "helper", message: "a" })) }],
])("%s is refused with a sentence, and nothing is begun", async (_what, input) => {
  await using cluster = await startCluster({ agents });

  const { body } = await cluster.client.chat(`/sim tool=delegate input=${JSON.stringify(input)}`, { agent_id: "lead" });

  expect(await resultOf(cluster, body.run_id)).toMatchObject({
    content: expect.stringContaining("arguments do not fit"),
    isError: true,
  });
  expect(await childrenOf(cluster, body.run_id)).toEqual([]);
});

test("a cancel ends the run and what it delegated", async () => {
  await using cluster = await startCluster({ agents });
  const { runId, child } = await beginLong(cluster, "lead");

  await cluster.engine.cancel(runId);

  expect((await ended(cluster, runId)).status).toBe("canceled");
  expect((await ended(cluster, child.run_id)).status).toBe("canceled");
  await vi.waitFor(() => expect(cluster.simulator.stats().active).toBe(0));
});

test("a run that is out of time takes what it delegated with it", async () => {
  await using cluster = await startCluster({ agents });
  const { runId, child } = await beginLong(cluster, "hasty");

  expect(await ended(cluster, runId)).toMatchObject({ status: "completed", finish_reason: "time_limit" });
  expect((await ended(cluster, child.run_id)).status).toBe("canceled");
});

test("a run that is out of time under its second owner takes what it delegated with it", async () => {
  await using cluster = await startCluster({ agents, runner: false });
  const first = await cluster.startRunner();
  const { runId, child } = await beginLong(cluster, "hasty");
  await first.drain(0);

  await cluster.startRunner();

  expect(await ended(cluster, runId)).toMatchObject({ status: "completed", finish_reason: "time_limit", attempts: 2 });
  expect((await ended(cluster, child.run_id)).status).toBe("canceled");
  await vi.waitFor(() => expect(cluster.simulator.stats().active).toBe(0));
});

test("what the other agent could not do, the model is told", async () => {
  await using cluster = await startCluster({ agents });
  const { runId, child } = await beginLong(cluster, "lead");

  await cluster.engine.cancel(child.run_id);

  expect((await ended(cluster, runId)).status).toBe("completed");
  const events = await cluster.client.events(runId);
  const result = events.find(({ type }) => type === "TOOL_CALL_RESULT");
  expect(result).toMatchObject({ content: "helper was canceled.", isError: true });
});

test("an agent that is not among the delegates is not asked", async () => {
  await using cluster = await startCluster({ agents });

  const { body } = await cluster.client.chat(delegating(["hasty", "hello"]), { agent_id: "lead" });

  expect(await childrenOf(cluster, body.run_id)).toEqual([]);
  const events = await cluster.client.events(body.run_id);
  expect(events.find(({ type }) => type === "TOOL_CALL_RESULT")).toMatchObject({
    content: expect.stringContaining("arguments do not fit"),
    isError: true,
  });
});

test("delegation ends at its depth, with an answer for the model", async () => {
  await using cluster = await startCluster({ agents });
  const levels = MAX_DELEGATION_DEPTH + 1;
  const message = Array.from({ length: levels }).reduce<string>((inner) => delegating(["lead", inner]), "hello");

  const { body } = await cluster.client.chat(message, { agent_id: "lead" });

  expect(body.status).toBe("completed");
  let depth = 0;
  for (let [run] = await childrenOf(cluster, body.run_id); run; [run] = await childrenOf(cluster, run.run_id))
    depth += 1;
  expect(depth).toBe(MAX_DELEGATION_DEPTH);
});

test("whoever takes the run over waits for the run that it delegated before, and begins no second one", async () => {
  await using cluster = await startCluster({ agents, runner: false });
  const first = await cluster.startRunner();
  const work = delegating(["helper", "/sim tokens=30 rate=30"]);
  const runId = await cluster.client.begin(work, { agent_id: "lead" });
  const child = await vi.waitUntil(async () => (await childrenOf(cluster, runId))[0], { timeout: 5_000 });
  await readUntil(await cluster.client.follow(child.run_id), ({ type }) => type === "TEXT_MESSAGE_CONTENT");

  await first.drain(0);
  await cluster.startRunner();

  expect(await ended(cluster, runId)).toMatchObject({ status: "completed", attempts: 2 });
  const children = await childrenOf(cluster, runId);
  expect(children.map(({ run_id: id, status }) => [id, status])).toEqual([[child.run_id, "completed"]]);
  expect(problemsOf(await cluster.client.events(runId))).toEqual([]);
});
