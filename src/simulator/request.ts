/**
 * A request body as the rest of the simulator sees it: checked, typed, reduced to what an answer depends on.
 * Called by messages.ts and routes.ts with whatever JSON.parse gave; refuses with the wording of the real API.
 * Parse, do not trust: nothing behind this file looks at raw JSON again.
 */
import { invalid } from "./errors.ts";
import { checkHistory } from "./history.ts";
import { estimateTokens, isRecord, type JsonObject } from "./json.ts";

export interface TextBlock {
  readonly type: "text";
  readonly text: string;
}

export interface ToolUseBlock {
  readonly type: "tool_use";
  readonly id: string;
  readonly name: string;
}

/** `text` joins the text blocks of the result's content. */
export interface ToolResultBlock {
  readonly type: "tool_result";
  readonly toolUseId: string;
  readonly text: string;
  readonly isError: boolean;
}

/** Images, documents, thinking, server tools: accepted, never answered to. */
export interface OtherBlock {
  readonly type: "other";
}

export type Block = TextBlock | ToolUseBlock | ToolResultBlock | OtherBlock;

export interface Message {
  readonly role: "user" | "assistant";
  readonly blocks: readonly Block[];
}

export interface Tool {
  readonly name: string;
  readonly schema: JsonObject;
}

export interface ModelRequest {
  readonly model: string;
  readonly maxTokens: number;
  readonly stream: boolean;
  readonly messages: readonly Message[];
  /** Tools the client runs; the API's own server tools are left out. */
  readonly tools: readonly Tool[];
  /** False when the client said `tool_choice: {type: "none"}`. */
  readonly mayCallTools: boolean;
  readonly inputTokens: number;
}

/** Every Refusal is a 400. Counting tokens needs no max_tokens, answering does. */
export function parseRequest(body: unknown, needs: { maxTokens: boolean }): ModelRequest {
  if (!isRecord(body)) throw invalid("The request body must be a JSON object");
  const messages = parseMessages(body["messages"]);
  checkHistory(messages);
  const choice = body["tool_choice"];
  return {
    model: parseModel(body["model"]),
    maxTokens: parseMaxTokens(body["max_tokens"], needs.maxTokens),
    stream: parseStream(body["stream"]),
    messages,
    tools: parseTools(body["tools"]),
    mayCallTools: !(isRecord(choice) && choice["type"] === "none"),
    inputTokens: estimateTokens([body["system"], body["messages"], body["tools"]]),
  };
}

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

function parseMessages(messages: unknown): Message[] {
  if (messages === undefined) throw invalid("messages: Field required");
  if (!Array.isArray(messages)) throw invalid("messages: Input should be a valid list");
  if (messages.length === 0) throw invalid("messages: at least one message is required");
  return messages.map((message: unknown, index) => parseMessage(message, `messages.${index}`));
}

function parseMessage(message: unknown, at: string): Message {
  if (!isRecord(message)) throw invalid(`${at}: Input should be a valid dictionary`);
  const { role, content } = message;
  if (role !== "user" && role !== "assistant") throw invalid(`${at}.role: Input should be 'user' or 'assistant'`);
  if (content === undefined) throw invalid(`${at}.content: Field required`);
  if (typeof content === "string") return { role, blocks: [parseText(content, at)] };
  if (!Array.isArray(content)) throw invalid(`${at}.content: Input should be a valid string or list`);
  return { role, blocks: content.map((block: unknown, index) => parseBlock(block, `${at}.content.${index}`)) };
}

function parseBlock(block: unknown, at: string): Block {
  if (!isRecord(block) || typeof block["type"] !== "string") throw invalid(`${at}.type: Field required`);
  switch (block["type"]) {
    case "text":
      return parseText(block["text"], at);
    case "tool_use":
      if (!isRecord(block["input"])) throw invalid(`${at}.tool_use.input: Input should be a valid dictionary`);
      return { type: "tool_use", id: parseId(block["id"], `${at}.id`), name: parseId(block["name"], `${at}.name`) };
    case "tool_result":
      return {
        type: "tool_result",
        toolUseId: parseId(block["tool_use_id"], `${at}.tool_use_id`),
        text: resultText(block["content"], at),
        isError: block["is_error"] === true,
      };
    default:
      return { type: "other" };
  }
}

function parseText(text: unknown, at: string): TextBlock {
  if (typeof text !== "string") throw invalid(`${at}.text: Input should be a valid string`);
  if (text === "") throw invalid(`${at}: text content blocks must be non-empty`);
  return { type: "text", text };
}

function parseId(id: unknown, at: string): string {
  if (typeof id !== "string" || id === "") throw invalid(`${at}: Field required`);
  return id;
}

function resultText(content: unknown, at: string): string {
  if (content === undefined) return "";
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) throw invalid(`${at}.tool_result.content: Input should be a valid string or list`);
  const parts = content.map((part: unknown) => (isRecord(part) && part["type"] === "text" ? part["text"] : undefined));
  return parts.filter((part) => typeof part === "string").join("\n");
}

function parseTools(tools: unknown): Tool[] {
  if (tools === undefined) return [];
  if (!Array.isArray(tools)) throw invalid("tools: Input should be a valid list");
  const parsed = tools.flatMap((tool: unknown, index) => parseTool(tool, `tools.${index}`));
  if (new Set(parsed.map(({ name }) => name)).size < parsed.length) throw invalid("tools: Tool names must be unique.");
  return parsed;
}

function parseTool(tool: unknown, at: string): Tool[] {
  if (!isRecord(tool)) throw invalid(`${at}: Input should be a valid dictionary`);
  if (tool["type"] !== undefined && tool["type"] !== "custom") return [];
  const { name, input_schema: schema } = tool;
  if (typeof name !== "string" || !/^[a-zA-Z0-9_-]{1,128}$/.test(name)) {
    throw invalid(`${at}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'`);
  }
  if (!isRecord(schema)) throw invalid(`${at}.custom.input_schema: Field required`);
  if (schema["type"] !== "object") throw invalid(`${at}.custom.input_schema.type: Input should be 'object'`);
  return [{ name, schema }];
}
