/**
 * A picture or document that the API refuses although it looks right: it is damaged behind its header, locked by a
 * password, or at an address that cannot be reached. The API refuses the whole request because of it, each time. Pure.
 */
import { hasCode } from "../core/errors.ts";
import type { Message } from "../core/message.ts";
import { textBlock, type ModelBlock, type ModelMessage } from "./history/model-message.ts";

const MEDIA: ReadonlySet<string> = new Set(["image", "document"]);
const WORDS = /\b(?:images?|pdf|documents?|media|files?)\b/i;

/**
 * True when the request failed because of media that a tool returned, or that an earlier message holds. When the
 * message of this run has media itself, the run fails with the refusal instead, and that message is not sent again.
 * @param asked the message of this run
 */
export function isForMedia(error: unknown, asked: Message | undefined): boolean {
  if (!hasCode(error, "MODEL_REJECTED") || !(error instanceof Error) || !WORDS.test(error.message)) return false;
  return typeof asked?.content === "string" || !asked?.content.some(({ type }) => MEDIA.has(type));
}

/** The messages with a text in place of every picture and document. */
export function withoutMedia(messages: readonly ModelMessage[]): ModelMessage[] {
  return messages.map((message) => ({ ...message, content: message.content.map(legible) }));
}

function legible(block: ModelBlock): ModelBlock {
  if (MEDIA.has(block.type))
    return textBlock(`(A ${block.type === "image" ? "picture" : "document"} that the model could not read.)`);
  const { content } = block;
  return block.type === "tool_result" && Array.isArray(content) ? { ...block, content: content.map(legible) } : block;
}
