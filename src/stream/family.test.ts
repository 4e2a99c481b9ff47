import { EventSchemas } from "@ag-ui/core/schemas";
import { expect, test } from "vitest";
import { defineAgents } from "../core/agent.ts";
import { AppError } from "../core/errors.ts";
import type { Engine } from "../engine/engine.ts";
import { startCluster, type Cluster } from "../testing/cluster.ts";
import { failing } from "../testing/failing-engine.ts";
import { SocketClient } from "../testing/socket.ts";

/** A busy machine needs longer than the second that vitest waits. */
const PATIENCE_MS = 10_000;
const agents = defineAgents({
  lead: { model: "m", delegates: ["helper", "middle"] },
  middle: { model: "m", delegates: ["helper"] },
  helper: { model: "m" },
});

const tasks = (...works: readonly [agentId: string, message: string][]) =>
  `/sim tool=delegate input=${JSON.stringify({ tasks: works.map(([agent_id, message]) => ({ agent_id, message })) })}`;

interface Told {
  readonly id: string | undefined;
  readonly event: Record<string, unknown> & { readonly type: string; readonly subagentRunId?: string };
}

/** The whole stream of a run, with the runs that it delegated inside. */
async function inline({ client }: Cluster, runId: string, lastEventId?: string): Promise<Told[]> {
  const headers = { Accept: "text/event-stream", ...(lastEventId !== undefined && { "Last-Event-ID": lastEventId }) };
  return toldBy(await client.fetch(`/api/runs/${runId}/events?subagents=inline`, { headers }));
}

async function toldBy(response: Response): Promise<Told[]> {
  const text = await response.text();
  return text
    .split("\n\n")
    .filter((part) => part.includes("data: "))
    .map((part) => ({
      id: /^id: (.*)$/m.exec(part)?.[1],
      event: JSON.parse(/^data: (.*)$/m.exec(part)?.[1] ?? "") as Told["event"],
    }));
}

const typesOf = (told: readonly Told[], subagentRunId: unknown) =>
  told.filter(({ event }) => event.subagentRunId === subagentRunId).map(({ event }) => event.type);

test("each delegated run is told whole between its delegation and the result of its call", async () => {
  await using cluster = await startCluster({ agents });
  const runId = await cluster.client.begin(tasks(["helper", "/sim tokens=2"], ["helper", "/sim status=400"]), {
    agent_id: "lead",
  });

  const told = await inline(cluster, runId);

  for (const { event } of told) expect(EventSchemas.safeParse(event).error).toBeUndefined();
  const types = told.map(({ event }) => event.type);
  const [first, second] = told.filter(({ event }) => event.type === "SUBAGENT_STARTED").map(({ event }) => event);
  const call = told.find(({ event }) => event.type === "TOOL_CALL_START")?.event["toolCallId"];
  expect(first).toMatchObject({ name: "helper", parentToolCallId: call });
  expect(typesOf(told, first?.subagentRunId)).toEqual([
    "SUBAGENT_STARTED",
    "TEXT_MESSAGE_START",
    ...Array(typesOf(told, first?.subagentRunId).filter((type) => type === "TEXT_MESSAGE_CONTENT").length).fill(
      "TEXT_MESSAGE_CONTENT",
    ),
    "TEXT_MESSAGE_END",
    "SUBAGENT_FINISHED",
  ]);
  expect(typesOf(told, second?.subagentRunId)).toEqual(["SUBAGENT_STARTED", "SUBAGENT_ERROR"]);
  expect(types.lastIndexOf("SUBAGENT_FINISHED")).toBeLessThan(types.indexOf("TOOL_CALL_RESULT"));
  expect(types.lastIndexOf("SUBAGENT_ERROR")).toBeLessThan(types.indexOf("TOOL_CALL_RESULT"));
  expect(types.at(-1)).toBe("RUN_FINISHED");
  // The run's own events are all there, and only they are positions.
  const own = (await cluster.client.events(runId)).map(({ seq }) => String(seq));
  expect(told.flatMap(({ id }) => id ?? [])).toEqual(own);
});

test("what a delegated run delegates in turn is told with its parent", async () => {
  await using cluster = await startCluster({ agents });
  const inner = tasks(["helper", "/sim tokens=1"]);
  const runId = await cluster.client.begin(tasks(["middle", inner]), { agent_id: "lead" });

  const told = await inline(cluster, runId);

  const [middle, helper] = told.filter(({ event }) => event.type === "SUBAGENT_STARTED").map(({ event }) => event);
  expect(middle).toMatchObject({ name: "middle" });
  expect(helper).toMatchObject({ name: "helper", parentSubagentRunId: middle?.subagentRunId });
  const ends = told.filter(({ event }) => event.type === "SUBAGENT_FINISHED").map(({ event }) => event.subagentRunId);
  expect(ends).toEqual([helper?.subagentRunId, middle?.subagentRunId]);
});

test("after a resume, subagents under way come from their beginning and finished ones do not come again", async () => {
  await using cluster = await startCluster({ agents });
  const runId = await cluster.client.begin(tasks(["helper", "/sim tokens=2"]), { agent_id: "lead" });
  const whole = await inline(cluster, runId);
  const idOf = (type: string) => whole.find(({ event }) => event.type === type)?.id;
  const waiting = whole.find(({ event }) => event["name"] === "evenkeel.waiting")?.id;

  const underWay = await inline(cluster, runId, waiting);
  const done = await inline(cluster, runId, idOf("TOOL_CALL_RESULT"));

  expect(underWay[0]?.event.type).toBe("SUBAGENT_STARTED");
  expect(underWay.map(({ event }) => event.type)).toContain("SUBAGENT_FINISHED");
  expect(done.map(({ event }) => event.type)).not.toContain("SUBAGENT_STARTED");
});

test("a canceled run ends after what it delegated, and a page without `subagents` is as before", async () => {
  await using cluster = await startCluster({ agents });
  const runId = await cluster.client.begin(tasks(["helper", "/sim tokens=100000 rate=20"]), { agent_id: "lead" });
  const streaming = inline(cluster, runId);
  // Canceled earlier, the journal would not tell of the delegation.
  await expect
    .poll(async () => (await cluster.client.events(runId)).map(({ name }) => name))
    .toContain("evenkeel.waiting");

  await cluster.client.post(`/api/runs/${runId}/cancel`);

  const types = (await streaming).map(({ event }) => event.type);
  // The end of the parent's step may come before the end of the child or after it.
  expect(types.filter((type) => ["SUBAGENT_ERROR", "RUN_FINISHED"].includes(type))).toEqual([
    "SUBAGENT_ERROR",
    "RUN_FINISHED",
  ]);
  expect(types.at(-1)).toBe("RUN_FINISHED");
  expect((await cluster.client.events(runId)).map(({ type }) => type).join()).not.toContain("SUBAGENT");
});

test("a chat that is streamed tells what it delegates inside when it asks for that, on either route", async () => {
  await using cluster = await startCluster({ agents });
  const chat = { agent_id: "lead", message: tasks(["helper", "/sim tokens=2"]), subagents: "inline" };
  const headers = { "Content-Type": "application/json", Accept: "text/event-stream" };
  for (const path of ["/api/chat", "/api/chat/stream"]) {
    const told = await toldBy(
      await cluster.client.fetch(path, { method: "POST", headers, body: JSON.stringify(chat) }),
    );
    const types = told.map(({ event }) => event.type);
    expect(types.indexOf("SUBAGENT_FINISHED")).toBeGreaterThan(types.indexOf("SUBAGENT_STARTED"));
    expect(types.indexOf("TOOL_CALL_RESULT")).toBeGreaterThan(types.indexOf("SUBAGENT_FINISHED"));
    expect(types.at(-1)).toBe("RUN_FINISHED");
  }
});

test("a subscription of a socket tells the same events in the same order as the stream", async () => {
  await using cluster = await startCluster({ agents });
  await using socket = await SocketClient.connect(`http://127.0.0.1:${cluster.port}`);
  const runId = await cluster.client.begin(tasks(["helper", "/sim tokens=2"]), { agent_id: "lead" });
  const streamed = await inline(cluster, runId);

  const id = socket.send({ op: "subscribe", channel: "run", run_id: runId, subagents: "inline" });
  await expect.poll(() => socket.frames.some((frame) => frame.id === id && frame.done)).toBe(true);

  const told = socket.frames.filter(({ event }) => event !== undefined);
  expect(told.map(({ event }) => event)).toEqual(streamed.map(({ event }) => event));
  expect(told.flatMap(({ seq }) => seq ?? []).map(String)).toEqual(streamed.flatMap((one) => one.id ?? []));
  expect(socket.frames.findLast((frame) => frame.id === id)).toMatchObject({ done: true });
});

test("nothing more comes under the id of a subscription that failed", async () => {
  let failsFrom = Infinity;
  let runId = "";
  const wrapEngine = (engine: Engine) =>
    failing(engine, (method, [id, after]) =>
      method === "events" && id === runId && Number(after) >= failsFrom ? new Error("unreadable") : undefined,
    );
  await using cluster = await startCluster({ agents, wrapEngine });
  await using socket = await SocketClient.connect(`http://127.0.0.1:${cluster.port}`);
  runId = await cluster.client.begin(tasks(["helper", "/sim tokens=100000 rate=50"]), { agent_id: "lead" });
  const waiting = async () =>
    (await cluster.client.events(runId)).find(({ name }) => name === "evenkeel.waiting")?.seq ?? Infinity;
  await expect.poll(waiting).toBeLessThan(Infinity);
  failsFrom = await waiting();

  const id = socket.send({ op: "subscribe", channel: "run", run_id: runId, subagents: "inline", after: failsFrom });
  const failedAt = () => socket.frames.findIndex((frame) => frame.id === id && frame.error);
  await expect.poll(failedAt).toBeGreaterThanOrEqual(0);

  const [child] = (await cluster.engine.runs({ limit: 1, parentRunId: runId })).items;
  const childIsAt = () => cluster.engine.lastEvent(child?.run_id ?? "");
  const before = await childIsAt();
  await expect.poll(childIsAt, { timeout: PATIENCE_MS }).toBeGreaterThan(before + 20);
  // Whatever was sent before this answer has come by then.
  await socket.ask({ op: "subscribe", channel: "processes" });
  expect(socket.frames.slice(failedAt() + 1).filter((frame) => frame.id === id)).toEqual([]);
  await cluster.engine.cancel(runId);
});

test("a delegated run that cannot be read is told with its own error, from its beginning on", async () => {
  let child = "";
  const wrapEngine = (engine: Engine) =>
    failing(engine, (method, [id]) =>
      method === "events" && id === child ? new AppError("STORAGE_FULL", "The disk is full.") : undefined,
    );
  await using cluster = await startCluster({ agents, wrapEngine });
  const { body } = await cluster.client.chat(tasks(["helper", "/sim tokens=2"]), { agent_id: "lead" });
  child = (await cluster.engine.runs({ limit: 1, parentRunId: body.run_id })).items[0]?.run_id ?? "";

  const told = await inline(cluster, body.run_id);

  expect(typesOf(told, child)).toEqual(["SUBAGENT_STARTED", "SUBAGENT_ERROR"]);
  expect(told.find(({ event }) => event.type === "SUBAGENT_ERROR")?.event).toMatchObject({
    code: "STORAGE_FULL",
    message: "The disk is full.",
  });
  expect(told.at(-1)?.event.type).toBe("RUN_FINISHED");
});

test("a delegated run that can no longer be read ends after those that it delegated", async () => {
  let middle = "";
  let failsFrom = Infinity;
  const wrapEngine = (engine: Engine) =>
    failing(engine, (method, [id, after]) =>
      method === "events" && id === middle && Number(after) >= failsFrom
        ? new AppError("STORAGE_FULL", "The disk is full.")
        : undefined,
    );
  await using cluster = await startCluster({ agents, wrapEngine });
  const { engine } = cluster;
  const nested = tasks(["middle", tasks(["helper", "/sim tokens=40 rate=40"])]);
  const runId = await cluster.client.begin(nested, { agent_id: "lead" });
  const of = async (parentRunId: string) => (await engine.runs({ limit: 1, parentRunId })).items[0]?.run_id ?? "";
  await expect.poll(async () => (middle = await of(runId))).not.toBe("");
  await expect.poll(() => of(middle)).not.toBe("");
  const helper = await of(middle);
  // The delegated run is stored before the event that tells of it.
  await expect
    .poll(async () => (await engine.events(middle, 0, { limit: 100 })).some(({ data }) => data.includes(helper)))
    .toBe(true);
  failsFrom = await engine.lastEvent(middle);

  const told = await inline(cluster, runId);

  const ends = told.filter(({ event }) => /^SUBAGENT_(ERROR|FINISHED)$/.test(event.type));
  expect(ends.map(({ event }) => [event.type, event.subagentRunId])).toEqual([
    ["SUBAGENT_FINISHED", helper],
    ["SUBAGENT_ERROR", middle],
  ]);
});

test("a delegated run is told whole, although the storage was away when it was looked for", async () => {
  let child = "";
  let failures = 0;
  const wrapEngine = (engine: Engine) =>
    failing(engine, (method, [id]) => {
      if (method !== "run" || id !== child || failures === 2) return undefined;
      failures += 1;
      return new AppError("STORAGE_UNAVAILABLE", "away");
    });
  await using cluster = await startCluster({ agents, wrapEngine });
  const { body } = await cluster.client.chat(tasks(["helper", "/sim tokens=2"]), { agent_id: "lead" });
  child = (await cluster.engine.runs({ limit: 1, parentRunId: body.run_id })).items[0]?.run_id ?? "";

  const told = await inline(cluster, body.run_id);

  expect(failures).toBe(2);
  expect(typesOf(told, child).at(-1)).toBe("SUBAGENT_FINISHED");
});
