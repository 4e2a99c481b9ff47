/**
 * Which tools an answer calls: those that a /sim line orders and those that the message names; none after results have
 * arrived. Called by script.ts; pure. Never looks at raw messages or at the clock.
 */
import type { Conversation } from "./conversation.ts";
import type { Directives } from "./directives.ts";
import { invalid } from "./errors.ts";
import { inputFor } from "./input.ts";
import type { JsonObject } from "./json.ts";
import type { ModelRequest } from "./request.ts";
import type { Tool } from "./tools-field.ts";

export interface PlannedCall {
  readonly name: string;
  /** The arguments as they are sent: JSON, unless a /sim line says otherwise. */
  readonly json: string;
}

export interface Situation {
  readonly request: ModelRequest;
  readonly conversation: Conversation;
  readonly directives: Directives;
}

export function planCalls(situation: Situation): PlannedCall[] {
  const { choice } = situation.request;
  if (choice.type === "none") return [];
  const chosen = chosenCalls(situation);
  return choice.type === "auto" || chosen.length > 0 ? chosen : forcedCalls(situation);
}

/**
 * For a request that forces a call when the conversation names no tool: the tool that `tool_choice` names, or the first
 * tool.
 */
function forcedCalls({ request: { choice, tools }, conversation: { text } }: Situation): PlannedCall[] {
  const tool = choice.type === "tool" ? tools.find(({ name }) => name === choice.name) : tools[0];
  return tool ? [callOf(tool.name, inputFor(tool.schema, { text, rest: text }))] : [];
}

function chosenCalls({ request, conversation, directives }: Situation): PlannedCall[] {
  if (directives.loop) return loopCalls({ request, conversation, directives });
  if (conversation.results.length > 0) return [];
  if (directives.calls.length > 0) return directedCalls({ request, conversation, directives });
  return namedTools(conversation.text, request.tools).map(({ tool, rest }) =>
    callOf(tool.name, inputFor(tool.schema, { text: conversation.text, rest })),
  );
}

const callOf = (name: string, input: JsonObject): PlannedCall => ({ name, json: JSON.stringify(input) });

function loopCalls(situation: Situation): PlannedCall[] {
  if (situation.directives.calls.length > 0) return directedCalls(situation);
  const [tool] = situation.request.tools;
  if (!tool) throw invalid("/sim loop needs a tool: the request offers none and the line names none");
  const { text } = situation.conversation;
  return [callOf(tool.name, inputFor(tool.schema, { text, rest: text }))];
}

function directedCalls({ request, conversation: { text }, directives }: Situation): PlannedCall[] {
  const schemas = new Map(request.tools.map(({ name, schema }) => [name, schema]));
  // Fill the input once for each tool and not for each call: a line can order a hundred thousand calls about a long
  // text.
  const made = new Map<string, PlannedCall>();
  return directives.calls.map(({ name, input, args }) => {
    if (args !== undefined) return { name, json: args };
    if (input) return callOf(name, input);
    const call = made.get(name) ?? callOf(name, inputFor(schemas.get(name) ?? {}, { text, rest: text }));
    made.set(name, call);
    return call;
  });
}

interface Mention {
  readonly tool: Tool;
  /** The message behind the tool's name. */
  readonly rest: string;
}

/**
 * Number of characters that are searched. A tool that is named after them is not found. [A megabyte blocked the process
 * for 0.2 s.]
 */
const MAX_SEARCHED_CHARACTERS = 50_000;

/** Tools in the order the message names them; "current time" names `current_time`, and not `time` as well. */
export function namedTools(message: string, tools: readonly Tool[]): Mention[] {
  const text = message.slice(0, MAX_SEARCHED_CHARACTERS);
  const longestFirst = [...tools].sort((a, b) => b.name.length - a.name.length);
  const mentions: (Mention & { at: number })[] = [];
  let free = plain(text);
  for (const tool of longestFirst) {
    const at = wordIndex(free, plain(tool.name));
    if (at < 0) continue;
    const end = at + tool.name.length;
    mentions.push({ tool, at, rest: text.slice(end).replace(/^[\s:,.;–—-]+/, "") });
    free = free.slice(0, at) + "\0".repeat(tool.name.length) + free.slice(end);
  }
  return mentions.sort((a, b) => a.at - b.at);
}

// Every step keeps the length, so that an index into the plain text is also an index into the message.
function plain(text: string): string {
  const lower = text.toLowerCase();
  // A letter whose lower case has two characters (U+0130) is rare. Then only ASCII letters are lowered, at a call for
  // each letter.
  const same = lower.length === text.length ? lower : text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return same.replace(/[_\s-]/g, " ");
}

function wordIndex(text: string, word: string): number {
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
    if (isEdge(text[at - 1]) && isEdge(text[at + word.length])) return at;
  }
  return -1;
}

const isEdge = (character: string | undefined): boolean => character === undefined || !/[\p{L}\p{N}]/u.test(character);
