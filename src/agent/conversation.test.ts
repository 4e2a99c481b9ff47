import { expect, test } from "vitest";
import { defineAgents, type PreparedAgent } from "../core/agent.ts";
import type { Turn } from "../engine/engine.ts";
import { Conversation } from "./conversation.ts";

const AGENT = defineAgents({ a: { model: "main", context: { tokens: 50_000 } } }).get("a") as PreparedAgent;

test("a stored limit counts, unless it is so small that it was misread", () => {
  expect(new Conversation(AGENT, [limited(8_000)]).budget).toBe(8_000);
  expect(new Conversation(AGENT, [limited(3)]).budget).toBe(50_000);
});

/** A turn of a thread that was made shorter, to fit this limit. */
function limited(budget: number): Turn {
  const compaction = { model: "main", budget, from: 0, cleared_before: 0 };
  return { messages: [{ role: "user", content: [], compaction }] } as unknown as Turn;
}
