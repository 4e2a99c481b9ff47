/**
 * What the messages say: the user text to answer, its /sim lines, and the tool results that arrived since.
 * Called once a request by messages.ts; pure. All other files decide from this result and never from the raw messages.
 */
import type { Block, Message } from "./blocks.ts";

export interface ToolAnswer {
  readonly name: string;
  readonly text: string;
  readonly isError: boolean;
}

export interface Conversation {
  /** The last user text, without its /sim lines. */
  readonly text: string;
  /** The words of its /sim lines, joined; "" without one. */
  readonly directives: string;
  /** User texts so far, this one included. */
  readonly turns: number;
  /** Pictures and documents of the message with that text. */
  readonly attachments: { readonly image: number; readonly document: number };
  /** Server tools of the last message that have no result yet: the message is an answer that paused. */
  readonly paused: readonly ServerCall[];
  /** The last message is an answer, and the model has to continue it. */
  readonly goesOn: boolean;
  /** Results of the last message when they answer calls made since `text`; empty on a first turn. */
  readonly results: readonly ToolAnswer[];
  /** Identifies the conversation and its position: equal for a retry, different for the next step. */
  readonly key: string;
  /** Identifies the last user text: it stays the same for all steps that follow it. */
  readonly promptKey: string;
}

export interface ServerCall {
  readonly id: string;
  readonly name: string;
}

export function readConversation(messages: readonly Message[]): Conversation {
  const promptAt = messages.findLastIndex(isPrompt);
  const prompt = textOf(messages[promptAt]?.blocks ?? []);
  const lines = prompt.split("\n");
  const turns = messages.filter(isPrompt).length;
  const last = messages.at(-1);
  return {
    text: lines
      .filter((line) => !isDirective(line))
      .join("\n")
      .trim(),
    directives: lines
      .filter(isDirective)
      .map((line) => line.trim().slice("/sim".length))
      .join(" ")
      .trim(),
    attachments: attachmentsIn(messages[promptAt]?.blocks ?? []),
    turns,
    paused: last?.role === "assistant" ? unanswered(last.blocks) : [],
    goesOn: last?.role === "assistant",
    results: promptAt < messages.length - 1 ? readResults(messages) : [],
    key: `${messages.length}:${prompt}`,
    promptKey: `turn ${turns}:${prompt}`,
  };
}

// A message of only tool results comes from the agent; a message with text, a picture or a document comes from the
// user.
const isPrompt = (message: Message): boolean =>
  message.role === "user" &&
  message.blocks.some(({ type }) => type === "text" || type === "image" || type === "document");

const attachmentsIn = (blocks: readonly Block[]): Conversation["attachments"] => ({
  image: blocks.filter(({ type }) => type === "image").length,
  document: blocks.filter(({ type }) => type === "document").length,
});

function unanswered(blocks: readonly Block[]): ServerCall[] {
  const answered = new Set(blocks.flatMap((block) => (block.type === "other" ? [block.toolUseId] : [])));
  return blocks.flatMap((block) =>
    block.type === "server_tool_use" && !answered.has(block.id) ? [{ id: block.id, name: block.name }] : [],
  );
}

const isDirective = (line: string): boolean => /^\s*\/sim(\s|$)/.test(line);

const textOf = (blocks: readonly Block[]): string =>
  blocks.flatMap((block) => (block.type === "text" ? [block.text] : [])).join("\n");

function readResults(messages: readonly Message[]): ToolAnswer[] {
  const names = new Map<string, string>();
  for (const block of messages.at(-2)?.blocks ?? []) if (block.type === "tool_use") names.set(block.id, block.name);
  const last = messages.at(-1)?.blocks ?? [];
  return last.flatMap((block) =>
    block.type === "tool_result"
      ? [{ name: names.get(block.toolUseId) ?? "", text: block.text, isError: block.isError }]
      : [],
  );
}
