/** A conversation as OpenAI's clients send it, in our words. */
import { invalid } from "../../api/check.ts";
import type { OpenAiMessage } from "../../api/openai.ts";
import type { Message } from "../../core/message.ts";

export interface Conversation {
  /** All but the last message. */
  readonly before: readonly Message[];
  /** What the user says now. */
  readonly message: string;
}

/**
 * System messages and `instructions` stand in front of the first user message: the agent's own system prompt is the
 * operator's, and stays in charge.
 * @param field what the client calls the list, for refusals
 * @throws AppError INVALID_REQUEST
 */
export function conversationOf(
  field: string,
  messages: string | readonly OpenAiMessage[],
  instructions: string | null | undefined,
): Conversation {
  const given = typeof messages === "string" ? [{ role: "user" as const, content: messages }] : messages;
  const told = given.map(({ role, content }) => ({ role, text: textOf(content) }));
  const system = told.filter(({ role }) => role === "system" || role === "developer").map(({ text }) => text);
  const said = told.filter(({ role }) => role === "user" || role === "assistant");
  const last = said.at(-1);
  if (last?.role !== "user") throw invalid(field, "a list that ends with a message of the role `user`", last?.role);
  const first = said.findIndex(({ role }) => role === "user");
  const inFront = [instructions, ...system].filter((text) => typeof text === "string" && text !== "");
  const messagesToModel = said.map(({ role, text }, index): { role: "user" | "assistant"; content: string } => ({
    role: role === "assistant" ? "assistant" : "user",
    content: index === first ? [...inFront, text].join("\n\n") : text,
  }));
  return { before: messagesToModel.slice(0, -1), message: messagesToModel.at(-1)?.content ?? "" };
}

function textOf(content: OpenAiMessage["content"]): string {
  return typeof content === "string" ? content : content.map(({ text }) => text).join("\n");
}
