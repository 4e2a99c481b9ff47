/** A thread's messages, in the shape of the Anthropic Messages API, with what the server adds to them. */
import type {
  Compaction,
  ContentBlock,
  Message,
  StoredMessage,
  ToolResultBlock,
  ToolUseBlock,
  UnsentReason,
} from "../api/threads.ts";

export type { Compaction, ContentBlock, Message, StoredMessage, ToolResultBlock, ToolUseBlock, UnsentReason };

export function toolUsesOf(message: Message): ToolUseBlock[] {
  if (message.role !== "assistant" || typeof message.content === "string") return [];
  return message.content.filter((block) => block.type === "tool_use");
}

/** The texts of what a person said, for titles and lists; how many files there are, where there is no text. */
export function wordsOf(parts: readonly { readonly type: string; readonly text?: string }[]): string {
  const texts = parts.flatMap(({ text }) => text ?? []);
  if (texts.length > 0) return texts.join("\n");
  return parts.length === 1 ? "(1 file)" : `(${parts.length} files)`;
}

/** The plain text of a message, blocks joined. */
export function textOf(message: Message): string {
  if (typeof message.content === "string") return message.content;
  return message.content.map((block) => (block.type === "text" ? block.text : "")).join("");
}
