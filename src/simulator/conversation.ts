/**
 * What the messages say: the user text to answer, its /sim lines, and the tool results that arrived since.
 * Called once a request by messages.ts; pure. Everything else decides from this, never from the raw messages.
 */
import type { Block } from "./blocks.ts";
import type { Message } from "./request.ts";

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
  /** Results of the last message when they answer calls made since `text`; empty on a first turn. */
  readonly results: readonly ToolAnswer[];
  /** Says which conversation this is and how far it got: equal for a retry, different for the next step. */
  readonly key: string;
}

export function readConversation(messages: readonly Message[]): Conversation {
  const promptAt = messages.findLastIndex(isPrompt);
  const prompt = textOf(messages[promptAt]?.blocks ?? []);
  const lines = prompt.split("\n");
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
    turns: messages.filter(isPrompt).length,
    results: promptAt < messages.length - 1 ? readResults(messages) : [],
    key: `${messages.length}:${prompt}`,
  };
}

// Tool results alone are an agent talking; a message with text in it is a user talking.
const isPrompt = (message: Message): boolean =>
  message.role === "user" && message.blocks.some((block) => block.type === "text");

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
