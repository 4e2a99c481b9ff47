/** The published AG-UI client against a real server. */
import { HttpAgent, type Message } from "@ag-ui/client";
import { afterEach, expect, test, vi } from "vitest";
import { defineAgents } from "../core/agent.ts";
import { startCluster, type Cluster } from "../testing/cluster.ts";
import { ModelTap } from "../testing/model-tap.ts";

afterEach(() => void vi.restoreAllMocks());

function agentOn({ port }: Cluster, threadId = "t1", headers: Record<string, string> = {}): HttpAgent {
  return new HttpAgent({ url: `http://127.0.0.1:${port}/api/agui/assistant`, threadId, headers });
}

function say(agent: HttpAgent, content: string): void {
  agent.addMessage({ id: `user-${agent.messages.length}`, role: "user", content });
}

function answerOf(messages: readonly Message[]): unknown {
  return messages.findLast(({ role }) => role === "assistant")?.content;
}

test("an agent runs, with its tool call and result as messages", async () => {
  await using cluster = await startCluster();
  const agent = agentOn(cluster);
  say(agent, "calculate 6 * 7");
  await agent.runAgent();
  expect(answerOf(agent.messages)).toContain("42");
  expect(agent.messages.map(({ role }) => role)).toContain("tool");
});

test.each(["calculate 6 * 7", "/sim tokens=5 thinking=5 stop=max_tokens", "/sim status=401"])(
  "no event has a field that the client warns of (%s)",
  async (message) => {
    const warn = vi.spyOn(console, "warn");
    vi.spyOn(console, "error").mockImplementation(() => {});
    await using cluster = await startCluster();
    const agent = agentOn(cluster);
    say(agent, message);
    await agent.runAgent().catch(() => {});
    expect(agent.messages.length).toBeGreaterThan(0);
    expect(warn).not.toHaveBeenCalled();
  },
);

test("the next message goes on in the client's thread", async () => {
  await using cluster = await startCluster();
  const agent = agentOn(cluster, "mine");
  for (const text of ["Hello", "Again"]) {
    say(agent, text);
    await agent.runAgent();
  }
  const { body } = await cluster.client.get("/api/threads/mine");
  const said = (body["messages"] as { role: string; content: unknown }[]).filter(({ role }) => role === "user");
  expect(said.map(({ content }) => content)).toEqual(["Hello", "Again"]);
});

test("a conversation with a tool call, which has no content, goes on", async () => {
  await using cluster = await startCluster();
  const agent = agentOn(cluster);
  say(agent, "calculate 6 * 7");
  await agent.runAgent();
  expect(agent.messages.some((message) => message.role === "assistant" && message.content === undefined)).toBe(true);
  say(agent, "Again");
  await agent.runAgent();
  expect(answerOf(agent.messages)).toContain("“Again”");
});

test.each([
  ["null", null],
  ["a type that is no text", { type: "image", source: { type: "data", value: "QUJD", mimeType: 5 } }],
  ["an object as URL", { type: "image", source: { type: "url", value: { toString: 1 } } }],
  ["an object as data", { type: "image", source: { type: "data", value: { toString: 1 }, mimeType: "image/png" } }],
])("%s in a message is a mistake of the client", async (_, part) => {
  await using cluster = await startCluster();
  const messages = [{ id: "1", role: "user", content: [part] }];
  const { status, body } = await cluster.client.post("/api/agui/greeter", { threadId: "t", runId: "r", messages });
  expect([status, body["code"]]).toEqual([400, "INVALID_REQUEST"]);
});

test("a part by URL that states no media type is what the type of the part says", async () => {
  await using tap = await ModelTap.open();
  await using cluster = await startCluster({ modelUrl: tap.url });
  tap.target = cluster.simulator.url;
  const agent = agentOn(cluster);
  const content = (["image", "document"] as const).map((type) => {
    return { type, source: { type: "url" as const, value: `https://example.com/${type}` } };
  });
  agent.addMessage({ id: "1", role: "user", content });
  await agent.runAgent();
  const parts = (tap.asked[0]?.messages ?? []).flatMap(({ content: asked }) => asked);
  expect(parts).toMatchObject([
    { type: "image", source: { url: "https://example.com/image" } },
    { type: "document", source: { url: "https://example.com/document" } },
  ]);
});

test.each([
  ["a part of the type audio", { type: "audio", source: { type: "url", value: "https://example.com/a" } }],
  [
    "a video that says it is a document",
    { type: "document", source: { type: "url", value: "https://example.com/a", mimeType: "video/mp4" } },
  ],
])("%s is refused, as no model reads it", async (_, part) => {
  await using cluster = await startCluster();
  const messages = [{ id: "1", role: "user", content: [{ type: "text", text: "Listen" }, part] }];
  const { status, body } = await cluster.client.post("/api/agui/greeter", { threadId: "t", runId: "r", messages });
  expect([status, body["code"]]).toEqual([400, "INVALID_REQUEST"]);
  expect(body["detail"]).toMatch(/messages\.content\[1\].*(audio|video)/);
});

test("what an answer that broke off showed is no message of the client's", async () => {
  await using cluster = await startCluster();
  const agent = agentOn(cluster);
  say(agent, "/sim tokens=30 rate=300 cut times=1");
  await agent.runAgent();
  const answers = agent.messages.filter(({ role }) => role === "assistant");
  expect(answers).toHaveLength(1);
  expect(answerOf(answers)).toMatch(/^tok1 .* tok30$/s);
});

test("a run that is sent again from a position has the same messages, and is no second run", async () => {
  await using cluster = await startCluster();
  const agent = agentOn(cluster);
  say(agent, "calculate 6 * 7");
  await agent.runAgent({ runId: "mine" });
  const again = agentOn(cluster, "t1", { "Last-Event-ID": "12" });
  say(again, "calculate 6 * 7");
  await again.runAgent({ runId: "mine" });
  expect(again.messages.map(({ id }) => id)).toEqual(agent.messages.map(({ id }) => id));
  expect(answerOf(again.messages)).toBe(answerOf(agent.messages));
  expect((await cluster.engine.runs({ limit: 10 })).items).toHaveLength(1);
});

test("a position that a run has not reached is refused, and says nothing about a run that only begins", async () => {
  await using cluster = await startCluster();
  const ahead = { "Last-Event-ID": "9999" };
  const agent = agentOn(cluster, "t1", ahead);
  say(agent, "calculate 6 * 7");
  await agent.runAgent({ runId: "mine" });
  expect(answerOf(agent.messages)).toContain("42");
  const again = agentOn(cluster, "t1", ahead);
  say(again, "calculate 6 * 7");
  await expect(again.runAgent({ runId: "mine" })).rejects.toThrow(/`Last-Event-ID` to be at most \d+/);
});

test("system messages and earlier ones begin a new thread, and context goes to an agent that takes it", async () => {
  await using tap = await ModelTap.open();
  const agents = defineAgents({ assistant: { model: "m", accepts: ["extra_context"] } });
  await using cluster = await startCluster({ agents, modelUrl: tap.url });
  tap.target = cluster.simulator.url;
  const agent = agentOn(cluster);
  agent.setMessages([
    { id: "0", role: "system", content: "Be kind." },
    { id: "1", role: "user", content: "My name is Ana." },
    { id: "2", role: "assistant", content: "Hello Ana." },
  ]);
  say(agent, "What is my name?");
  await agent.runAgent({ context: [{ description: "The page", value: "Settings" }] });
  const asked = JSON.stringify(tap.asked);
  for (const text of ["Be kind.", "My name is Ana.", "Hello Ana.", "The page: Settings"]) expect(asked).toContain(text);
});

test("what delegated runs said elsewhere does not begin a thread as words of the agent", async () => {
  await using cluster = await startCluster();
  const messages = [
    { id: "1", role: "user", content: "Ask them" },
    { id: "2", role: "assistant", content: "A delegated word", subagentRunId: "run_2" },
    { id: "3", role: "assistant", content: "They agree" },
    { id: "4", role: "user", content: "Thanks" },
  ];
  await cluster.client.post("/api/agui/greeter", { threadId: "t", runId: "r", messages });
  const { body } = await cluster.client.get("/api/threads/t");
  const said = (body["messages"] as { content: unknown }[]).slice(0, 3);
  expect(said.map(({ content }) => content)).toEqual(["Ask them", "They agree", "Thanks"]);
});

test("with `on_disconnect=cancel` a client that aborts its run cancels it", async () => {
  await using cluster = await startCluster();
  const agent = agentOn(cluster);
  agent.url += "?on_disconnect=cancel";
  say(agent, "/sim tokens=100000 rate=50");
  await agent.runAgent({ runId: "mine" }, { onTextMessageContentEvent: () => agent.abortRun() }).catch(() => {});
  await expect.poll(async () => (await cluster.engine.run("mine"))?.status, { timeout: 5_000 }).toBe("canceled");
});

test("an agent that does not exist is refused", async () => {
  await using cluster = await startCluster();
  const agent = new HttpAgent({ url: `http://127.0.0.1:${cluster.port}/api/agui/nobody` });
  say(agent, "Hello");
  await expect(agent.runAgent()).rejects.toThrow(/nobody/);
});

const family = defineAgents({
  lead: { model: "m", delegates: ["lead", "helper"] },
  helper: { model: "m", tools: ["calculate"] },
});

const delegating = (...works: readonly [agentId: string, message: string][]) =>
  `tokens=2 ${works.map(([agent_id, message]) => `tool=delegate input=${JSON.stringify({ agent_id, message })}`).join(" ")}`;

const CALCULATE = `tool=calculate input={"expression":"1+1"}`;

interface Seen {
  readonly messages: readonly Message[];
  /** The types of the events about delegated runs. */
  readonly subagents: readonly string[];
}

/** A client that shows delegated runs begins the run, or resumes it after a position. */
async function runFamily({ port }: Cluster, message: string, after?: number): Promise<Seen> {
  const agent = new HttpAgent({
    url: `http://127.0.0.1:${port}/api/agui/lead?subagents=inline`,
    threadId: "t1",
    headers: after === undefined ? {} : { "Last-Event-ID": String(after) },
  });
  say(agent, message);
  const subagents: string[] = [];
  const see = ({ event: { type } }: { event: { type: string } }) => void subagents.push(type);
  const seeing = { onSubagentStartedEvent: see, onSubagentFinishedEvent: see, onSubagentErrorEvent: see };
  await agent.runAgent({ runId: "mine" }, seeing);
  return { messages: agent.messages, subagents };
}

/** Without the order, in which the messages of runs that work side by side arrive, and without the seq. */
function sorted({ messages }: Seen): unknown {
  const known = JSON.parse(
    JSON.stringify(messages, (key, value: unknown) => (key === "metadata" ? undefined : value)),
  ) as Message[];
  return known.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

test.each<[string, string, readonly string[]]>([
  ["one run", delegating(["helper", `/sim thinking=2 tokens=4 ${CALCULATE}`]), ["SUBAGENT_FINISHED"]],
  [
    "two runs side by side, of which one fails and one answers twice",
    delegating(["helper", "/sim tokens=20 rate=400 cut times=1"], ["helper", "/sim status=400"]),
    ["SUBAGENT_ERROR", "SUBAGENT_FINISHED"],
  ],
  [
    "a run that delegates in turn",
    delegating(["lead", `/sim ${delegating(["helper", "/sim tokens=3"], ["helper", "/sim tokens=2"])}`]),
    ["SUBAGENT_FINISHED", "SUBAGENT_FINISHED", "SUBAGENT_FINISHED"],
  ],
  [
    "a run whose calls have the ids of its parent's calls",
    `ids=same ${delegating(["helper", `/sim ids=same tokens=2 ${CALCULATE}`])}`,
    ["SUBAGENT_FINISHED"],
  ],
])("a client that shows delegated runs has their messages, from any position (%s)", async (_what, words, ends) => {
  const warn = vi.spyOn(console, "warn");
  await using cluster = await startCluster({ agents: family });
  const whole = await runFamily(cluster, `/sim ${words}`);
  expect(whole.subagents.filter((type) => type !== "SUBAGENT_STARTED").toSorted()).toEqual(ends);
  expect(whole.messages.some((message) => "subagentRunId" in message)).toBe(true);
  const last = (await cluster.client.events("mine")).at(-1)?.seq ?? 0;
  for (let after = 1; after < last; after += 1) {
    expect(sorted(await runFamily(cluster, `/sim ${words}`, after))).toEqual(sorted(whole));
  }
  expect(warn).not.toHaveBeenCalled();
});

test("a client that resumes while its run waits for a delegated run sees what that run says meanwhile", async () => {
  await using cluster = await startCluster({ agents: family });
  const message = `/sim ${delegating(["helper", "/sim tokens=100000 rate=50"])}`;
  const whole = runFamily(cluster, message);
  await vi.waitUntil(() => cluster.engine.run("mine"));
  const waiting = await vi.waitUntil(async () =>
    (await cluster.client.events("mine")).find(({ name }) => name === "evenkeel.waiting"),
  );
  const { promise: said, resolve } = Promise.withResolvers<string | undefined>();
  const agent = new HttpAgent({
    url: `http://127.0.0.1:${cluster.port}/api/agui/lead?subagents=inline`,
    threadId: "t1",
    headers: { "Last-Event-ID": String(waiting.seq) },
  });
  say(agent, message);
  const ended = agent.runAgent(
    { runId: "mine" },
    { onTextMessageContentEvent: ({ event }) => resolve(event.subagentRunId) },
  );
  expect(await said).toBe(waiting.value?.["run_id"]);
  await cluster.engine.cancel("mine");
  await Promise.all([whole, ended]);
});

test("a delegated run that was deleted is shown as begun and failed, as the verifier wants it", async () => {
  await using cluster = await startCluster({ agents: family });
  await runFamily(cluster, `/sim ${delegating(["helper", "/sim tokens=2"])}`);
  const [child] = (await cluster.engine.runs({ limit: 1, parentRunId: "mine" })).items;
  await cluster.client.fetch(`/api/threads/${child?.thread_id ?? ""}`, { method: "DELETE" });
  const { subagents } = await runFamily(cluster, `/sim ${delegating(["helper", "/sim tokens=2"])}`, 1);
  expect(subagents).toEqual(["SUBAGENT_STARTED", "SUBAGENT_ERROR"]);
});
