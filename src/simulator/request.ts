/**
 * A request body as the rest of the simulator sees it: checked, typed, reduced to what an answer depends on.
 * Called by messages.ts, routes.ts and validate.ts with the result of JSON.parse; refuses with the wording of the real
 * API. No other file looks at the raw JSON again.
 */
import { type Message, parseBlock, parseText, type Place, refuseExtra } from "./blocks.ts";
import { checkCacheControl } from "./cache-control.ts";
import { invalid } from "./errors.ts";
import { checkHistory } from "./history.ts";
import { censusOf, isRecord, type JsonObject } from "./json.ts";
import { type Choice, parseChoice, parseTools, type Tool, toolNamesIn } from "./tools-field.ts";

export interface ModelRequest {
  readonly model: string;
  readonly maxTokens: number;
  readonly stream: boolean;
  readonly messages: readonly Message[];
  /** Tools the client runs; the API's own server tools are left out. */
  readonly tools: readonly Tool[];
  readonly choice: Choice;
  readonly inputTokens: number;
}

export interface Needs {
  /** Answering needs `max_tokens`, counting tokens does not. */
  readonly maxTokens: boolean;
  /** The model's window: a longer prompt is refused. */
  readonly contextTokens: number;
}

/** The window of a simulated model when SIM_CONTEXT_TOKENS does not say it. */
export const DEFAULT_CONTEXT_TOKENS = 200_000;

/** Every Refusal is a 400. */
export function parseRequest(body: unknown, { maxTokens, contextTokens }: Needs): ModelRequest {
  if (!isRecord(body)) throw invalid("The request body must be a JSON object");
  const { system, messages: prompt, tools, ...others } = body;
  const { tokens: sum, isWellFormed } = censusOf([system, prompt, tools]);
  const tokens = Math.max(1, Math.ceil(sum));
  if (!isWellFormed || !censusOf(others).isWellFormed) {
    throw invalid("The request body is not valid JSON: no low surrogate in string");
  }
  refuseExtra(body, FIELDS, "");
  const model = parseModel(body["model"]);
  const messages = parseMessages(prompt, model);
  const toolNames = toolNamesIn(tools);
  const request: ModelRequest = {
    model,
    maxTokens: parseMaxTokens(body["max_tokens"], maxTokens),
    stream: parseStream(body["stream"]),
    messages,
    tools: parseTools(tools),
    choice: parseChoice(body["tool_choice"], toolNames),
    inputTokens: tokens,
  };
  parseSystem(system);
  checkSampling(body);
  checkCacheControl(body);
  checkHistory(messages, { hasTools: toolNames.length > 0, isThinking: hasThinkingBudget(body) });
  if (tokens > contextTokens) throw invalid(`prompt is too long: ${tokens} tokens > ${contextTokens} maximum`);
  return request;
}

/** All fields that the API's reference lists. */
const FIELDS = (
  "model messages max_tokens system tools tool_choice stream thinking metadata temperature top_k top_p stop_sequences " +
  "service_tier output_config cache_control container context_management mcp_servers inference_geo speed diagnostics"
).split(" ");

function parseModel(model: unknown): string {
  if (model === undefined) throw invalid("model: Field required");
  if (typeof model !== "string" || model === "") throw invalid("model: Input should be a valid string");
  // The log of recent requests keeps model names, so their length is part of its bound.
  if (model.length > 256) throw invalid("model: String should have at most 256 characters");
  return model;
}

function parseMaxTokens(maxTokens: unknown, required: boolean): number {
  if (maxTokens === undefined && !required) return Infinity;
  if (maxTokens === undefined) throw invalid("max_tokens: Field required");
  if (typeof maxTokens !== "number" || !Number.isInteger(maxTokens)) {
    throw invalid("max_tokens: Input should be a valid integer");
  }
  if (maxTokens < 1) throw invalid("max_tokens: Input should be greater than or equal to 1");
  return maxTokens;
}

function parseStream(stream: unknown): boolean {
  if (stream !== undefined && typeof stream !== "boolean") throw invalid("stream: Input should be a valid boolean");
  return stream ?? false;
}

function parseSystem(system: unknown): void {
  if (system === undefined || typeof system === "string") return;
  if (!Array.isArray(system)) throw invalid("system: Input should be a valid string or list");
  for (const [index, block] of system.entries()) {
    const at = `system.${index}`;
    if (!isRecord(block) || block["type"] !== "text") throw invalid(`${at}.type: Input should be 'text'`);
    parseText(block["text"], `${at}.text`);
  }
}

function checkSampling({ temperature, stop_sequences: stops, thinking, max_tokens: maxTokens }: JsonObject): void {
  if (temperature !== undefined && !(typeof temperature === "number" && temperature >= 0 && temperature <= 1)) {
    throw invalid("temperature: range: 0..1");
  }
  if (
    stops !== undefined &&
    !(Array.isArray(stops) && stops.every((stop) => typeof stop === "string" && /\S/.test(stop)))
  ) {
    throw invalid("stop_sequences: each stop sequence must contain non-whitespace");
  }
  if (!isRecord(thinking) || thinking["type"] !== "enabled") return;
  const budget = thinking["budget_tokens"];
  if (typeof budget !== "number" || budget < 1024) {
    throw invalid("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024");
  }
  if (typeof maxTokens === "number" && budget >= maxTokens) {
    throw invalid("`max_tokens` must be greater than `thinking.budget_tokens`");
  }
}

function hasThinkingBudget({ thinking }: JsonObject): boolean {
  return isRecord(thinking) && thinking["type"] === "enabled";
}

function parseMessages(messages: unknown, model: string): Message[] {
  if (messages === undefined) throw invalid("messages: Field required");
  if (!Array.isArray(messages)) throw invalid("messages: Input should be a valid list");
  if (messages.length === 0) throw invalid("messages: at least one message is required");
  return messages.map((message: unknown, index) => {
    const isLast = index === messages.length - 1;
    return parseMessage(message, { at: `messages.${index}`, model, isLast });
  });
}

function parseMessage(message: unknown, { at, model, isLast }: Omit<Place, "role"> & { isLast: boolean }): Message {
  if (!isRecord(message)) throw invalid(`${at}: Input should be a valid dictionary`);
  refuseExtra(message, ["role", "content"], at);
  const { role, content } = message;
  if (role !== "user" && role !== "assistant") throw invalid(`${at}.role: Input should be 'user' or 'assistant'`);
  if (content === undefined) throw invalid(`${at}.content: Field required`);
  if (typeof content !== "string" && !Array.isArray(content)) {
    throw invalid(`${at}.content: Input should be a valid string or list`);
  }
  if (content.length === 0) {
    if (isLast && role === "assistant") return { role, blocks: [] };
    throw invalid(`${at}: all messages must have non-empty content except for the optional final assistant message`);
  }
  if (typeof content === "string") return { role, blocks: [parseText(content, `${at}.content`)] };
  const blocks = content.map((block: unknown, index) =>
    parseBlock(block, { at: `${at}.content.${index}`, role, model }),
  );
  return { role, blocks };
}
