/**
 * The rules of the Messages API about what may follow what in a conversation.
 * Called by request.ts once a body is parsed. An agent that breaks one gets the 400 the real API would send,
 * so a mistake in its checkpoints shows up here and not in front of a paying user.
 */
import { invalid } from "./errors.ts";
import type { Message, ToolResultBlock } from "./request.ts";

export function checkHistory(messages: readonly Message[]): void {
  if (messages[0]?.role !== "user") throw invalid('messages: first message must use the "user" role');
  const known = new Set<string>();
  for (const [index, message] of messages.entries()) {
    checkResults(message, messages[index - 1], `messages.${index}`);
    checkUses(message, messages[index + 1], `messages.${index}`);
    for (const id of useIds(message)) {
      if (known.has(id)) throw invalid("messages: `tool_use` ids must be unique");
      known.add(id);
    }
  }
}

function checkResults(message: Message, previous: Message | undefined, at: string): void {
  const open = new Set(previous?.role === "assistant" ? useIds(previous) : []);
  const answered = new Set<string>();
  for (const [index, block] of message.blocks.entries()) {
    if (block.type !== "tool_result") continue;
    if (answered.has(block.toolUseId)) {
      throw invalid(`${at}.content.${index}: each \`tool_use\` must have a single result. Found multiple.`);
    }
    if (message.role !== "user" || !open.has(block.toolUseId)) throw unexpectedResult(block, `${at}.content.${index}`);
    answered.add(block.toolUseId);
  }
}

function checkUses(message: Message, next: Message | undefined, at: string): void {
  const ids = useIds(message);
  if (ids.length === 0) return;
  if (message.role !== "assistant") throw invalid(`${at}: \`tool_use\` blocks can only be in \`assistant\` messages`);
  const answered = next?.blocks.map((block) => (block.type === "tool_result" ? block.toolUseId : undefined)) ?? [];
  const missing = ids.filter((id) => !answered.includes(id));
  if (missing.length === 0) return;
  throw invalid(
    `${at}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${missing.join(", ")}. ` +
      "Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
  );
}

const useIds = (message: Message): string[] =>
  message.blocks.flatMap((block) => (block.type === "tool_use" ? [block.id] : []));

const unexpectedResult = (block: ToolResultBlock, at: string): Error =>
  invalid(
    `${at}: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${block.toolUseId}. ` +
      "Each `tool_result` block must have a corresponding `tool_use` block in the previous message.",
  );
