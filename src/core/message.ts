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

/** The plain text of a message, blocks joined. */
export function textOf(message: Message): string {
  if (typeof message.content === "string") return message.content;
  return message.content.map((block) => (block.type === "text" ? block.text : "")).join("");
}
