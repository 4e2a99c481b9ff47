import assert from "node:assert/strict";
import { test } from "node:test";
import { startTestServer } from "evenkeel/testing";

test("the assistant counts words with its tool", async () => {
  // These are the model's answers, call by call; the server, the agent and the tool are real.
  const answers = [
    { tools: [{ name: "count_words", input: { text: "the quick brown fox" } }] },
    "The text has four words.",
  ];
  await using server = await startTestServer({ answers });

  const { reply } = await server.client.chat({ agent_id: "assistant", message: "How long is: the quick brown fox?" });

  assert.equal(reply, "The text has four words.");
  assert.match(JSON.stringify(server.requests[1]), /words.{1,5}4/, "the model got the tool's result");
});

test("the simulated model calls the tool when the message says so", async () => {
  await using server = await startTestServer();
  const { reply } = await server.client.chat({ agent_id: "assistant", message: "count words: the quick brown fox" });
  assert.match(reply ?? "", /4/);
});
