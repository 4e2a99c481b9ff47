/**
 * Options, headers and tools of the API: from the configuration to what is sent to the endpoint and kept in the thread.
 */
import { expect, test } from "vitest";
import { defineAgents } from "../core/agent.ts";
import { startCluster } from "../testing/cluster.ts";
import { problemsOf } from "../testing/journal.ts";
import { startTap } from "../testing/tap.ts";

test("options and headers of an agent go with its calls, and the server's own fields win", async () => {
  let simulator = "";
  await using tap = await startTap(() => simulator);
  const agents = defineAgents({
    assistant: {
      model: "m",
      tools: ["calculate"],
      request: {
        temperature: 0.5,
        stop_sequences: ["END"],
        output_config: { effort: "low" },
        betas: ["one", "two"],
        tools: [{ type: "web_search_20250305", name: "web_search" }],
      },
      headers: { "X-Tenant": "blue" },
    },
  });
  await using cluster = await startCluster({ agents, modelUrl: tap.url });
  simulator = cluster.simulator.url;

  await cluster.client.chat("/sim tokens=1");

  const [call] = tap.seen;
  expect(call?.body).toMatchObject({
    model: "m",
    max_tokens: 4096,
    stream: true,
    temperature: 0.5,
    stop_sequences: ["END"],
    output_config: { effort: "low" },
    tools: [{ name: "web_search" }, { name: "calculate" }],
  });
  expect(call?.body).not.toHaveProperty("betas");
  expect(call?.headers).toMatchObject({ "x-tenant": "blue", "anthropic-beta": "one,two" });
});

test("a tool of the API shows as a tool with its result, and its blocks go back as they came", async () => {
  const agents = defineAgents({
    assistant: { model: "m", request: { tools: [{ type: "web_search_20250305", name: "web_search" }] } },
  });
  await using cluster = await startCluster({ agents });
  const thread = { thread_id: "thread" };

  const first = await cluster.client.chat("/sim tokens=1 server_tool=web_search\nfind it", thread);
  const paused = await cluster.client.chat("/sim tokens=1 server_tool=code_execution stop=pause_turn", thread);
  const last = await cluster.client.chat("/sim tokens=2", thread);

  const events = await cluster.client.events(first.body.run_id);
  const tools = events.filter(({ type }) => type.startsWith("TOOL_CALL_"));
  expect(tools.map(({ type }) => type)).toEqual(expect.arrayContaining(["TOOL_CALL_START", "TOOL_CALL_RESULT"]));
  expect(tools.at(-1)).toMatchObject({ content: expect.stringContaining("A page that the simulated model found") });
  expect(problemsOf(events)).toEqual([]);
  expect(problemsOf(await cluster.client.events(paused.body.run_id))).toEqual([]);
  expect([first, paused, last].map(({ body }) => body.status)).toEqual(["completed", "completed", "completed"]);
  const { body } = await cluster.client.get("/api/threads/thread");
  expect(JSON.stringify(body)).toContain('"type":"web_search_tool_result"');
});
