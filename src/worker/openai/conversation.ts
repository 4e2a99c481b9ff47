/** Translates a conversation as OpenAI's clients send it. */
import { invalid } from "../../api/check.ts";
import type { OpenAiMessage } from "../../api/openai.ts";
import type { Part } from "../../api/parts.ts";
import { partOfUrl } from "../foreign-parts.ts";

/** The content of a message: text, or parts when there are pictures. */
type Said = string | readonly Part[];

type Messages = string | readonly (OpenAiMessage | { readonly type: "reasoning" })[];

export interface Conversation {
  /** All messages except the last one. */
  readonly before: readonly { readonly role: "user" | "assistant"; readonly said: Said }[];
  /** The newest message of the user. */
  readonly message: Said;
}

/**
 * System messages and `instructions` are put in front of the first user message: the agent's own system prompt belongs
 * to the operator, and must not be overridden.
 * @param field the client's name of the list, for refusals
 * @throws AppError INVALID_REQUEST
 */
export function conversationOf(
  field: string,
  messages: Messages,
  instructions: string | null | undefined,
): Conversation {
  const { said, inFront } = read(field, messages, instructions);
  const first = said.findIndex(({ role }) => role === "user");
  const before = said.map(({ role, parts }, index) => ({
    role: role === "assistant" ? ("assistant" as const) : ("user" as const),
    said: asSaid(index === first ? withText(inFront, parts) : parts),
  }));
  return { before: before.slice(0, -1), message: before.at(-1)?.said ?? "" };
}

/**
 * The next turn of a conversation that is kept here: all of the input is new, and becomes the turn's one message.
 * @throws AppError INVALID_REQUEST
 */
export function turnOf(field: string, messages: Messages, instructions: string | null | undefined): Conversation {
  const { said, inFront } = read(field, messages, instructions);
  if (said.some(({ role }) => role === "assistant")) {
    const expected =
      "a list without messages of the role `assistant`: `previous_response_id` brings the earlier answers";
    throw invalid(field, expected, "assistant");
  }
  const parts = said.flatMap((message) => message.parts);
  return { before: [], message: asSaid(withText(inFront, parts)) };
}

/** The messages of the user and the assistant, and the text that stands in front. @throws AppError INVALID_REQUEST */
function read(field: string, messages: Messages, instructions: string | null | undefined) {
  const given = typeof messages === "string" ? [{ role: "user" as const, content: messages }] : messages;
  const told = given.flatMap((message, index) => {
    if (!isMessage(message)) return [];
    const { role, content, refusal } = message;
    return [{ role, parts: partsOf(`${field}[${index}].content`, content ?? refusal ?? "") }];
  });
  const system = told.filter(({ role }) => role === "system" || role === "developer").map(({ parts }) => textOf(parts));
  const said = told.filter(({ role }) => role === "user" || role === "assistant");
  const newest = said.at(-1);
  if (newest?.role !== "user") throw invalid(field, "a list that ends with a message of the role `user`", newest?.role);
  if (isBlank(newest.parts)) throw invalid(field, "a list whose last message says something", textOf(newest.parts));
  const inFront = [instructions, ...system].filter((text) => typeof text === "string" && text !== "").join("\n\n");
  return { said, inFront };
}

function isMessage(item: OpenAiMessage | { readonly type: "reasoning" }): item is OpenAiMessage {
  return "role" in item;
}

function isBlank(parts: readonly Part[]): boolean {
  return parts.every((part) => part.type === "text" && !/\S/.test(part.text));
}

function withText(text: string, parts: readonly Part[]): readonly Part[] {
  if (text === "") return parts;
  const [first, ...others] = parts;
  if (first?.type === "text") return [{ type: "text", text: `${text}\n\n${first.text}` }, ...others];
  return [{ type: "text", text }, ...parts];
}

function asSaid(parts: readonly Part[]): Said {
  return parts.every(({ type }) => type === "text")
    ? textOf(parts)
    : parts.filter((part) => part.type !== "text" || /\S/.test(part.text));
}

function partsOf(at: string, content: NonNullable<OpenAiMessage["content"]>): Part[] {
  if (typeof content === "string") return [{ type: "text", text: content }];
  return content.map((part, index): Part => {
    if ("text" in part && typeof part.text === "string") return { type: "text", text: part.text };
    if ("refusal" in part && typeof part.refusal === "string") return { type: "text", text: part.refusal };
    const { image_url: url } = part as { readonly image_url: string | { readonly url: string } };
    return partOfUrl(`${at}[${index}].image_url`, typeof url === "string" ? url : url.url);
  });
}

function textOf(parts: readonly Part[]): string {
  return parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n");
}
