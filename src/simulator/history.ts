/**
 * The rules of the Messages API about what may follow what in a conversation.
 * Called by request.ts once a body is parsed. An agent that breaks one gets the 400 the real API would send,
 * so a mistake in its checkpoints shows up here and not in front of a paying user.
 */
import { type Block, isBlank, type Message, type ToolResultBlock } from "./blocks.ts";
import { invalid } from "./errors.ts";

interface Mode {
  readonly hasTools: boolean;
  /** With a fixed budget. */
  readonly isThinking: boolean;
}

export function checkHistory(messages: readonly Message[], { hasTools, isThinking }: Mode): void {
  if (messages[0]?.role !== "user") throw invalid('messages: first message must use the "user" role');
  const known = new Set<string>();
  for (const [index, message] of messages.entries()) {
    const at = `messages.${index}`;
    checkResults(message, messages[index - 1], at);
    checkUses(message, messages[index + 1], at);
    // The last message may be a paused answer, whose server tools have no results yet.
    if (index < messages.length - 1) checkServerUses(message, at);
    checkLastBlock(message, at);
    for (const id of useIds(message)) {
      if (known.has(id)) throw invalid("messages: `tool_use` ids must be unique");
      known.add(id);
    }
  }
  checkPrefill(messages.at(-1));
  if (isThinking) checkThinking(messages);
  if (!hasTools && messages.some(hasToolBlock)) {
    throw invalid("Requests which include `tool_use` or `tool_result` blocks must define tools");
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
    if (!open.has(block.toolUseId)) throw unexpectedResult(block, `${at}.content.${index}`);
    answered.add(block.toolUseId);
  }
}

function checkUses(message: Message, next: Message | undefined, at: string): void {
  const ids = useIds(message);
  if (ids.length === 0) return;
  const answered = new Set(next ? leadingResultIds(next) : []);
  const missing = ids.filter((id) => !answered.has(id));
  if (missing.length === 0) return;
  throw invalid(
    `${at}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${missing.join(", ")}. ` +
      "Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
  );
}

/** Results answer calls only when they stand before all other blocks of their message. */
function leadingResultIds({ blocks }: Message): string[] {
  const end = blocks.findIndex(({ type }) => type !== "tool_result");
  const leading = end < 0 ? blocks : blocks.slice(0, end);
  return leading.flatMap((block) => (block.type === "tool_result" ? [block.toolUseId] : []));
}

function checkServerUses({ blocks }: Message, at: string): void {
  const answered = new Set(blocks.flatMap((block) => (block.type === "other" ? [block.toolUseId] : [])));
  for (const block of blocks) {
    if (block.type !== "server_tool_use" || answered.has(block.id)) continue;
    throw invalid(
      `${at}: \`${block.name}\` tool use with id \`${block.id}\` was found without a corresponding ` +
        `\`${block.name}_tool_result\` block`,
    );
  }
}

function checkLastBlock({ role, blocks }: Message, at: string): void {
  if (role === "assistant" && blocks.at(-1)?.type === "thinking") {
    throw invalid(`${at}: The final block in an assistant message cannot be \`thinking\`.`);
  }
}

function checkPrefill(last: Message | undefined): void {
  const block = last?.role === "assistant" ? last.blocks.at(-1) : undefined;
  if (block?.type === "text" && isBlank(block.text.slice(-1))) {
    throw invalid("messages: final assistant content cannot end with trailing whitespace");
  }
}

/** A model that thinks and then calls tools goes on with its own thinking. */
function checkThinking(messages: readonly Message[]): void {
  const asked = messages.findLastIndex(
    ({ role, blocks }) => role === "user" && !blocks.some(({ type }) => type === "tool_result"),
  );
  const [first] = messages[asked + 1]?.blocks ?? [];
  if (!first || first.type === "thinking") return;
  throw invalid(
    `messages.${asked + 1}.content.0.type: Expected \`thinking\` or \`redacted_thinking\`, but found ` +
      `\`${first.type}\`. When \`thinking\` is enabled, a final \`assistant\` message must start with a thinking block ` +
      "(preceeding the lastmost set of `tool_use` and `tool_result` blocks).",
  );
}

const useIds = (message: Message): string[] =>
  message.blocks.flatMap((block) => (block.type === "tool_use" ? [block.id] : []));

const hasToolBlock = ({ blocks }: Message): boolean => blocks.some(isToolBlock);

const isToolBlock = ({ type }: Block): boolean => type === "tool_use" || type === "tool_result";

const unexpectedResult = (block: ToolResultBlock, at: string): Error =>
  invalid(
    `${at}: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${block.toolUseId}. ` +
      "Each `tool_result` block must have a corresponding `tool_use` block in the previous message.",
  );
