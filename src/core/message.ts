/**
 * A thread's messages, in the shape of the Anthropic Messages API, and the rule that makes any stored
 * history acceptable to it again: every tool_use is answered by a tool_result.
 */
import type { ContentBlock, Message, StoredMessage, ToolResultBlock, ToolUseBlock } from "../api/threads.ts";

export type { ContentBlock, Message, StoredMessage, ToolResultBlock, ToolUseBlock };

export function toolUsesOf(message: Message): ToolUseBlock[] {
  if (message.role !== "assistant" || typeof message.content === "string") return [];
  return message.content.filter((block) => block.type === "tool_use");
}

/** The plain text of a message, blocks joined. */
export function textOf(message: Message): string {
  if (typeof message.content === "string") return message.content;
  return message.content.map((block) => (block.type === "text" ? block.text : "")).join("");
}

/**
 * A history the model accepts. A run that was canceled or failed between a tool call and its result
 * leaves a tool_use without answer; the API refuses such a history for ever, so the gap is filled in.
 */
export function repairHistory(messages: readonly Message[]): Message[] {
  const repaired: Message[] = [];
  messages.forEach((message, index) => {
    repaired.push(message);
    // The last one's tools are not late: they are what the run does next.
    const missing = index === messages.length - 1 ? [] : unanswered(message, messages[index + 1]);
    if (missing.length > 0) repaired.push({ role: "user", content: missing.map(interrupted) });
  });
  return repaired;
}

function unanswered(message: Message, next: Message | undefined): ToolUseBlock[] {
  const answered = new Set<string>();
  if (next?.role === "user" && typeof next.content !== "string") {
    for (const block of next.content) if (block.type === "tool_result") answered.add(block.tool_use_id);
  }
  return toolUsesOf(message).filter((use) => !answered.has(use.id));
}

function interrupted(use: ToolUseBlock): ToolResultBlock {
  return {
    type: "tool_result",
    tool_use_id: use.id,
    content: "The run ended before this tool finished.",
    is_error: true,
  };
}
