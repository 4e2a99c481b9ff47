/** A thread's messages, in the shape of the Anthropic Messages API, with what the server adds to them. */
import type {
  Citation,
  Compaction,
  ContentBlock,
  Message,
  StoredMessage,
  ToolResultBlock,
  ToolResultPart,
  ToolUseBlock,
  UnsentReason,
} from "../api/threads.ts";

export type {
  Citation,
  Compaction,
  ContentBlock,
  Message,
  StoredMessage,
  ToolResultBlock,
  ToolResultPart,
  ToolUseBlock,
  UnsentReason,
};

/** A tool's result as it is stored: text, or text with pictures and documents, which name their files. */
export type ToolResultContent = ToolResultBlock["content"];

export function toolUsesOf(message: Message): ToolUseBlock[] {
  if (message.role !== "assistant" || typeof message.content === "string") return [];
  return message.content.filter((block) => block.type === "tool_use");
}

/** The texts in a person's message, for titles and lists; without any text, the number of its files. */
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

/** A tool's result for places where only text can stand: a picture or document becomes a mark that names it. */
export function textOfResult(content: ToolResultContent): string {
  if (typeof content === "string") return content;
  return content.map((part) => (part.type === "text" ? part.text : `[${part.type} ${nameOf(part)}]`)).join("\n");
}

function nameOf({ source }: Exclude<ToolResultPart, { type: "text" }>): string {
  return source.type === "file" ? source.file_id : source.url;
}
