/** The published AG-UI client against a real server. */
import { HttpAgent, type Message } from "@ag-ui/client";
import { afterEach, expect, test, vi } from "vitest";
import { startCluster, type Cluster } from "../testing/cluster.ts";

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

test("an agent that does not exist is refused", async () => {
  await using cluster = await startCluster();
  const agent = new HttpAgent({ url: `http://127.0.0.1:${cluster.port}/api/agui/nobody` });
  say(agent, "Hello");
  await expect(agent.runAgent()).rejects.toThrow(/nobody/);
});
