/**
 * A thread's messages, in the shape of the Anthropic Messages API, and the rule that makes any stored
 * history acceptable to it again: every tool_use is answered by a tool_result.
 */

export interface TextBlock {
  readonly type: "text";
  readonly text: string;
}
export interface ToolUseBlock {
  readonly type: "tool_use";
  readonly id: string;
  readonly name: string;
  readonly input: unknown;
}
export interface ToolResultBlock {
  readonly type: "tool_result";
  readonly tool_use_id: string;
  readonly content: string;
  readonly is_error?: boolean;
}
/** Thinking goes back to the model exactly as it came: its signature covers it. */
interface ThinkingBlock {
  readonly type: "thinking";
  readonly thinking: string;
  readonly signature: string;
}
interface RedactedThinkingBlock {
  readonly type: "redacted_thinking";
  readonly data: string;
}
export type ContentBlock = TextBlock | ToolUseBlock | ToolResultBlock | ThinkingBlock | RedactedThinkingBlock;

export interface Message {
  readonly role: "user" | "assistant";
  readonly content: string | readonly ContentBlock[];
}

/** A message with where it stands, as `GET /api/threads/{id}` shows it. */
export interface StoredMessage extends Message {
  readonly run_id: string;
  readonly at: number;
}

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
