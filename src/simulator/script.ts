/**
 * The plan of one answer: its content blocks as deltas, its stop reason and what it costs.
 * Called by messages.ts; pure. A script is all that an open stream keeps of its request, so it must stay small:
 * numbered tokens are computed when they are sent, never stored.
 */
import { answerText } from "./answer.ts";
import { planCalls, type PlannedCall, type Situation } from "./calls.ts";
import type { InputUsage } from "./prompt-cache.ts";
import type { IdKind, StopReason } from "./words.ts";

/** The pieces in which a block is sent. */
export interface Deltas {
  readonly count: number;
  readonly at: (index: number) => string;
}

export type ScriptBlock =
  | { readonly type: "thinking"; readonly deltas: Deltas; readonly signed: boolean }
  /** `cites`: the page that the preceding web search found. */
  | { readonly type: "text"; readonly deltas: Deltas; readonly cites?: boolean }
  /** The deltas are pieces of the input's JSON. */
  | { readonly type: "tool_use" | "server_tool_use"; readonly name: string; readonly deltas: Deltas }
  /** The result of a tool of the API. It is sent in one piece. Without an id it answers the call before it. */
  | { readonly type: "server_tool_result"; readonly name: string; readonly id?: string; readonly deltas: Deltas };

export interface Script {
  readonly model: string;
  readonly blocks: readonly ScriptBlock[];
  readonly stopReason: StopReason;
  /** Undefined: the answer has no usage, as with some endpoints. */
  readonly usage: (InputUsage & { readonly outputTokens: number }) | undefined;
  readonly ids: IdKind;
}

/** Characters of JSON to a token. */
const JSON_TOKEN_CHARACTERS = 4;

const NO_DELTAS: Deltas = { count: 0, at: () => "" };

/** Reasons to stop in the middle of a tool call. */
const CUT: ReadonlySet<StopReason> = new Set(["max_tokens", "model_context_window_exceeded"]);

/** @throws Refusal when /sim asks for what the request cannot give. */
export function writeScript(situation: Situation, input: InputUsage): Script {
  const { request, directives } = situation;
  const calls = pausesIn(situation) ? [] : planCalls(situation);
  const blocks: ScriptBlock[] = [];
  const budget = { tokens: request.maxTokens, cut: false };
  if (directives.thinking > 0) blocks.push(thinkingBlock(situation, budget));
  blocks.push(...serverBlocks(situation));
  const text = pausesIn(situation) ? NO_DELTAS : take(textDeltas(situation, calls), budget);
  const cites = blocks.some((block) => block.type === "server_tool_result" && block.name === "web_search");
  if (text.count > 0) blocks.push({ type: "text", deltas: text, ...(cites && { cites }) });
  for (const call of calls) if (budget.tokens > 0) blocks.push(toolBlock(call, budget));
  const cut = budget.cut || (calls.length > 0 && blocks.at(-1)?.type !== "tool_use");
  const ordered = directives.stop;
  return {
    model: request.model,
    blocks: ordered && CUT.has(ordered) ? cutLastCall(blocks) : blocks,
    stopReason: cut ? "max_tokens" : (ordered ?? (calls.length > 0 ? "tool_use" : "end_turn")),
    usage: directives.reportsUsage
      ? { ...input, outputTokens: blocks.reduce((sum, block) => sum + tokensIn(block), 0) }
      : undefined,
    ids: directives.ids,
  };
}

interface Budget {
  /** Output tokens that `max_tokens` leaves. */
  tokens: number;
  cut: boolean;
}

function thinkingBlock({ directives }: Situation, budget: Budget): ScriptBlock {
  const deltas = take({ count: directives.thinking, at: thought }, budget);
  return { type: "thinking", deltas, signed: directives.signed };
}

/** The answer pauses between the call of a server tool and its result. */
const pausesIn = ({ directives: { stop, serverTools } }: Situation): boolean =>
  stop === "pause_turn" && serverTools.length > 0;

function serverBlocks(situation: Situation): ScriptBlock[] {
  const { conversation, directives } = situation;
  const results = conversation.paused.map(({ id, name }): ScriptBlock => serverResult(name, id));
  // An answer that is continued, or whose tools have results, has made its calls already.
  if (conversation.goesOn || conversation.results.length > 0) return results;
  const deltas = listOf(splitJson(JSON.stringify({ query: conversation.text.slice(0, 200) })));
  return directives.serverTools.flatMap((name): ScriptBlock[] => {
    const call: ScriptBlock = { type: "server_tool_use", name, deltas };
    return pausesIn(situation) ? [call] : [call, serverResult(name)];
  });
}

const serverResult = (name: string, id?: string): ScriptBlock => ({
  type: "server_tool_result",
  name,
  ...(id !== undefined && { id }),
  deltas: NO_DELTAS,
});

function textDeltas({ request, conversation, directives }: Situation, calls: readonly PlannedCall[]): Deltas {
  if (directives.text) return listOf(directives.text);
  if (directives.tokens !== undefined) return { count: directives.tokens, at: token };
  return listOf(splitText(answerText({ conversation, calls, tools: request.tools })));
}

function toolBlock({ name, json }: PlannedCall, budget: Budget): ScriptBlock {
  const room = budget.tokens * JSON_TOKEN_CHARACTERS;
  // Like the real API, max_tokens may fall inside the JSON: the block is closed with its input half written.
  budget.cut ||= json.length > room;
  const kept = json.slice(0, room);
  budget.tokens -= Math.ceil(kept.length / JSON_TOKEN_CHARACTERS);
  return { type: "tool_use", name, deltas: listOf(splitJson(kept)) };
}

/** If the last block is a call, it ends in the middle of its JSON. */
function cutLastCall(blocks: readonly ScriptBlock[]): readonly ScriptBlock[] {
  const last = blocks.at(-1);
  if (last?.type !== "tool_use") return blocks;
  const json = joined(last.deltas);
  return [...blocks.slice(0, -1), { ...last, deltas: listOf(splitJson(json.slice(0, json.length / 2))) }];
}

function take(deltas: Deltas, budget: Budget): Deltas {
  const count = Math.min(deltas.count, budget.tokens);
  budget.cut ||= count < deltas.count;
  budget.tokens -= count;
  return count === 0 ? NO_DELTAS : { count, at: deltas.at };
}

function tokensIn({ type, deltas }: ScriptBlock): number {
  const isJson = type === "tool_use" || type === "server_tool_use";
  return isJson ? Math.ceil(joined(deltas).length / JSON_TOKEN_CHARACTERS) : deltas.count;
}

export function joined({ count, at }: Deltas): string {
  let text = "";
  for (let index = 0; index < count; index++) text += at(index);
  return text;
}

const listOf = (pieces: readonly string[]): Deltas => ({ count: pieces.length, at: (index) => pieces[index] ?? "" });

const token = (index: number): string => (index === 0 ? "tok1" : ` tok${index + 1}`);
const thought = (index: number): string => (index === 0 ? "thought1" : ` thought${index + 1}`);

/** Matches up to eight characters with the blanks before them, which is about a token of prose. */
const splitText = (text: string): readonly string[] => text.match(/\s+\S{0,8}|\S{1,8}/gu) ?? [];

/** Cuts into two pieces, or three when the text is long enough, so that a reader that parses each piece alone fails. */
function splitJson(json: string): readonly string[] {
  const size = Math.ceil(json.length / (json.length < 6 ? 2 : 3));
  return [json.slice(0, size), json.slice(size, 2 * size), json.slice(2 * size)].filter((piece) => piece !== "");
}
