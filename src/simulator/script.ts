/**
 * The plan of one answer: its content blocks as deltas, its stop reason and what it costs.
 * Called by messages.ts; pure. A script is all that an open stream keeps of its request, so it must stay small:
 * numbered tokens are computed when they are sent, never stored.
 */
import { answerText } from "./answer.ts";
import { planCalls, type PlannedCall, type Situation } from "./calls.ts";
import { signatureOf } from "./signature.ts";

/** The pieces a block is sent in. */
export interface Deltas {
  readonly count: number;
  readonly at: (index: number) => string;
}

export type ScriptBlock =
  | { readonly type: "thinking"; readonly deltas: Deltas; readonly signature: string }
  | { readonly type: "text"; readonly deltas: Deltas }
  /** The deltas are pieces of the input's JSON. */
  | { readonly type: "tool_use"; readonly name: string; readonly deltas: Deltas };

export interface Script {
  readonly model: string;
  readonly blocks: readonly ScriptBlock[];
  readonly stopReason: "end_turn" | "tool_use" | "max_tokens";
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** Characters of JSON to a token. */
const JSON_TOKEN_CHARACTERS = 4;

const NO_DELTAS: Deltas = { count: 0, at: () => "" };

/** @throws Refusal when /sim asks for what the request cannot give. */
export function writeScript(situation: Situation): Script {
  const { request, directives } = situation;
  const calls = planCalls(situation);
  const blocks: ScriptBlock[] = [];
  const budget = { tokens: request.maxTokens, cut: false };
  if (directives.thinking > 0) blocks.push(thinkingBlock(situation, budget));
  const text = take(textDeltas(situation, calls), budget);
  if (text.count > 0) blocks.push({ type: "text", deltas: text });
  for (const call of calls) if (budget.tokens > 0) blocks.push(toolBlock(call, budget));
  const cut = budget.cut || (calls.length > 0 && blocks.at(-1)?.type !== "tool_use");
  return {
    model: request.model,
    blocks,
    stopReason: cut ? "max_tokens" : calls.length > 0 ? "tool_use" : "end_turn",
    inputTokens: request.inputTokens,
    outputTokens: blocks.reduce((sum, block) => sum + tokensIn(block), 0),
  };
}

interface Budget {
  /** Output tokens left of max_tokens. */
  tokens: number;
  cut: boolean;
}

function thinkingBlock({ request, directives }: Situation, budget: Budget): ScriptBlock {
  const deltas = take({ count: directives.thinking, at: thought }, budget);
  return { type: "thinking", deltas, signature: signatureOf(request.model, piecesOf(deltas)) };
}

function textDeltas({ request, conversation, directives }: Situation, calls: readonly PlannedCall[]): Deltas {
  if (directives.tokens !== undefined) return { count: directives.tokens, at: token };
  return listOf(splitText(answerText({ conversation, calls, tools: request.tools })));
}

function toolBlock({ name, input }: PlannedCall, budget: Budget): ScriptBlock {
  const json = JSON.stringify(input);
  const room = budget.tokens * JSON_TOKEN_CHARACTERS;
  // Like the real API, max_tokens may fall inside the JSON: the block is closed with its input half written.
  budget.cut ||= json.length > room;
  const kept = json.slice(0, room);
  budget.tokens -= Math.ceil(kept.length / JSON_TOKEN_CHARACTERS);
  return { type: "tool_use", name, deltas: listOf(splitJson(kept)) };
}

function take(deltas: Deltas, budget: Budget): Deltas {
  const count = Math.min(deltas.count, budget.tokens);
  budget.cut ||= count < deltas.count;
  budget.tokens -= count;
  return count === 0 ? NO_DELTAS : { count, at: deltas.at };
}

function tokensIn({ type, deltas }: ScriptBlock): number {
  return type === "tool_use" ? Math.ceil(joined(deltas).length / JSON_TOKEN_CHARACTERS) : deltas.count;
}

function* piecesOf({ count, at }: Deltas): Generator<string, void, void> {
  for (let index = 0; index < count; index++) yield at(index);
}

export function joined({ count, at }: Deltas): string {
  let text = "";
  for (let index = 0; index < count; index++) text += at(index);
  return text;
}

const listOf = (pieces: readonly string[]): Deltas => ({ count: pieces.length, at: (index) => pieces[index] ?? "" });

const token = (index: number): string => (index === 0 ? "tok1" : ` tok${index + 1}`);
const thought = (index: number): string => (index === 0 ? "thought1" : ` thought${index + 1}`);

/** Up to eight characters with the blanks before them: about what a tokenizer makes of prose. */
const splitText = (text: string): readonly string[] => text.match(/\s+\S{0,8}|\S{1,8}/gu) ?? [];

/** Two pieces, three when there is enough: a reader that parses each piece alone must fail. */
function splitJson(json: string): readonly string[] {
  const size = Math.ceil(json.length / (json.length < 6 ? 2 : 3));
  return [json.slice(0, size), json.slice(size, 2 * size), json.slice(2 * size)].filter((piece) => piece !== "");
}
