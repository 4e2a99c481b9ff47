import { expect, test } from "vitest";
import { defineAgents, type PreparedAgent } from "../core/agent.ts";
import type { Turn } from "../engine/engine.ts";
import { Conversation } from "./conversation.ts";

const AGENT = defineAgents({ a: { model: "main", context: { tokens: 50_000 } } }).get("a") as PreparedAgent;

test("a stored limit counts, unless it is so small that it was misread", () => {
  expect(conversationOf("main", [limited(8_000)]).budget).toBe(8_000);
  expect(conversationOf("main", [limited(3)]).budget).toBe(50_000);
});

test("a limit that one model named is none of another model", () => {
  expect(conversationOf("spare", [limited(8_000)]).budget).toBe(50_000);
  const choice = { model: "main" };
  const conversation = new Conversation(AGENT, choice, []);
  conversation.learn({ tokens: 20_000, maximum: 10_000 }, 20_000);

  expect(conversation.budget).toBe(9_000);
  choice.model = "spare";
  expect(conversation.budget).toBe(50_000);
});

function conversationOf(model: string, turns: readonly Turn[]): Conversation {
  return new Conversation(AGENT, { model }, turns);
}

/** A turn of a thread that was made shorter, to fit this limit. */
function limited(budget: number): Turn {
  const compaction = { model: "main", budget, from: 0, cleared_before: 0 };
  return { messages: [{ role: "user", content: [], compaction }] } as unknown as Turn;
}
