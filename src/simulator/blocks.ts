/**
 * One content block of a message: checked field by field, reduced to what an answer depends on.
 * Called by request.ts; throws the API's own sentences. Rules over several blocks or messages are in history.ts.
 */
import { invalid } from "./errors.ts";
import { isRecord, type JsonObject } from "./json.ts";
import { parseMedia } from "./media.ts";
import { signatureOf } from "./signature.ts";

export interface Message {
  readonly role: "user" | "assistant";
  readonly blocks: readonly Block[];
}

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

export interface MediaBlock {
  readonly type: "image" | "document";
}

/** A thinking block, redacted or not. */
export interface ThinkingBlock {
  readonly type: "thinking";
}

/** A call of a tool that runs at the API, such as web search. */
export interface ServerToolUseBlock {
  readonly type: "server_tool_use";
  readonly id: string;
  readonly name: string;
}

/** Results of server tools, and block types that this file does not know: they are accepted and change no answer. */
export interface OtherBlock {
  readonly type: "other";
  /** The server tool call that it answers, if it answers one. */
  readonly toolUseId: string | undefined;
}

export type Block =
  | TextBlock
  | ToolUseBlock
  | ToolResultBlock
  | MediaBlock
  | ThinkingBlock
  | ServerToolUseBlock
  | OtherBlock;

/** Where a block stands. */
export interface Place {
  /** Its path, for the sentence of a refusal: `messages.0.content.1`. */
  readonly at: string;
  readonly role: "user" | "assistant";
  readonly model: string;
}

export function parseBlock(block: unknown, place: Place): Block {
  const { at } = place;
  if (!isRecord(block)) throw invalid(`${at}: Input should be a valid dictionary`);
  const type = block["type"];
  if (typeof type !== "string") throw invalid(`${at}.type: Field required`);
  refuseExtra(block, FIELDS[type], `${at}.${type}`);
  switch (type) {
    case "text":
      checkCitations(block["citations"], `${at}.text.citations`);
      return parseText(block["text"], `${at}.text`);
    case "tool_use":
      return parseToolUse(block, place);
    case "tool_result":
      return parseToolResult(block, place);
    case "image":
    case "document":
      if (place.role === "assistant")
        throw invalid(`${at}: \`${type}\` blocks are not permitted in assistant messages`);
      parseMedia(block, at);
      return { type };
    case "thinking":
      return parseThinking(block, place);
    case "redacted_thinking":
      requireAssistant(place, type);
      if (typeof block["data"] !== "string" || block["data"] === "")
        throw invalid(`${at}.${type}.data: Field required`);
      return { type: "thinking" };
    case "server_tool_use":
      return parseServerToolUse(block, place);
    default:
      return { type: "other", toolUseId: typeof block["tool_use_id"] === "string" ? block["tool_use_id"] : undefined };
  }
}

/** The fields of each type that this file knows. A block of an unknown type may have any field. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  text: ["type", "text", "cache_control", "citations"],
  tool_use: ["type", "id", "name", "input", "cache_control", "caller", "toolset_name"],
  tool_result: ["type", "tool_use_id", "content", "is_error", "cache_control", "toolset_name"],
  thinking: ["type", "thinking", "signature"],
  redacted_thinking: ["type", "data"],
  image: ["type", "source", "cache_control", "transformations"],
  document: ["type", "source", "cache_control", "citations", "context", "title"],
};

/** Without `known`, every field is allowed. */
export function refuseExtra(record: JsonObject, known: readonly string[] | undefined, at: string): void {
  const extra = known && Object.keys(record).find((name) => !known.includes(name));
  if (extra !== undefined) throw invalid(`${at === "" ? "" : `${at}.`}${extra}: Extra inputs are not permitted`);
}

/**
 * Matches a text without a visible character: white space and control characters (Python, unlike JavaScript, trims
 * U+0085 too).
 */
export const isBlank = (text: string): boolean => !/[^\s\p{Cc}]/u.test(text);

export function parseText(text: unknown, at: string): TextBlock {
  if (text === undefined) throw invalid(`${at}: Field required`);
  if (typeof text !== "string") throw invalid(`${at}: Input should be a valid string`);
  const [field] = at.split(".");
  if (text === "") throw invalid(`${field}: text content blocks must be non-empty`);
  if (isBlank(text)) throw invalid(`${field}: text content blocks must contain non-whitespace text`);
  return { type: "text", text };
}

function checkCitations(citations: unknown, at: string): void {
  if (citations === undefined || citations === null) return;
  if (!Array.isArray(citations)) throw invalid(`${at}: Input should be a valid list`);
  for (const [index, citation] of citations.entries()) {
    if (!isRecord(citation) || typeof citation["type"] !== "string")
      throw invalid(`${at}.${index}: Unable to extract tag using discriminator 'type'`);
  }
}

function parseToolUse({ id, name, input }: JsonObject, place: Place): ToolUseBlock {
  const at = `${place.at}.tool_use`;
  requireAssistant(place, "tool_use");
  if (input === undefined) throw invalid(`${at}.input: Field required`);
  if (!isRecord(input)) throw invalid(`${at}.input: Input should be a valid dictionary`);
  return { type: "tool_use", id: matching(id, ID, `${at}.id`), name: matching(name, TOOL_NAME, `${at}.name`) };
}

function parseServerToolUse({ id, name, input }: JsonObject, place: Place): ServerToolUseBlock {
  const at = `${place.at}.server_tool_use`;
  requireAssistant(place, "server_tool_use");
  if (!isRecord(input)) throw invalid(`${at}.input: Input should be a valid dictionary`);
  return {
    type: "server_tool_use",
    id: matching(id, SERVER_ID, `${at}.id`),
    name: matching(name, TOOL_NAME, `${at}.name`),
  };
}

function parseToolResult(block: JsonObject, { at, role, model }: Place): ToolResultBlock {
  if (role !== "user") throw invalid(`${at}: \`tool_result\` blocks can only be in \`user\` messages`);
  const { tool_use_id: id, content, is_error: isError } = block;
  if (isError !== undefined && typeof isError !== "boolean") {
    throw invalid(`${at}.tool_result.is_error: Input should be a valid boolean`);
  }
  const parts = resultParts(content, { at: `${at}.tool_result`, role, model });
  if (isError && parts.length === 0) {
    throw invalid(`${at}.tool_result: content cannot be empty if \`is_error\` is true`);
  }
  if (isError && parts.some(({ type }) => type !== "text")) {
    throw invalid(`${at}.tool_result: all content must be type \`text\` if \`is_error\` is true`);
  }
  return {
    type: "tool_result",
    toolUseId: matching(id, ID, `${at}.tool_result.tool_use_id`),
    text: parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n"),
    isError: isError === true,
  };
}

/** https://docs.claude.com/en/api/messages: what the content of a tool's result may have. */
const RESULT_PARTS: readonly string[] = ["document", "image", "search_result", "text", "tool_reference"];

function resultParts(content: unknown, { at, ...place }: Place): Block[] {
  if (content === undefined || content === "") return [];
  if (typeof content === "string") return [{ type: "text", text: content }];
  if (!Array.isArray(content)) throw invalid(`${at}.content: Input should be a valid string or list`);
  return content.map((part: unknown, index) => {
    const partAt = `${at}.content.${index}`;
    const type = isRecord(part) ? String(part["type"]) : "";
    if (type !== "" && !RESULT_PARTS.includes(type)) {
      const tags = RESULT_PARTS.map((tag) => `'${tag}'`).join(", ");
      throw invalid(
        `${partAt}: Input tag '${type}' found using 'type' does not match any of the expected tags: ${tags}`,
      );
    }
    return parseBlock(part, { ...place, at: partAt });
  });
}

function parseThinking({ thinking, signature }: JsonObject, place: Place): ThinkingBlock {
  const { at, model } = place;
  requireAssistant(place, "thinking");
  if (typeof thinking !== "string") throw invalid(`${at}.thinking.thinking: Field required`);
  if (typeof signature !== "string" || signature === "") throw invalid(`${at}.thinking.signature: Field required`);
  if (signature !== signatureOf(model, [thinking])) throw invalid(`${at}: Invalid \`signature\` in \`thinking\` block`);
  return { type: "thinking" };
}

function requireAssistant({ at, role }: Place, type: string): void {
  if (role !== "assistant") throw invalid(`${at}: \`${type}\` blocks can only be in \`assistant\` messages`);
}

const ID = /^[a-zA-Z0-9_-]+$/;
const SERVER_ID = /^srvtoolu_[a-zA-Z0-9_]+$/;
export const TOOL_NAME = /^[a-zA-Z0-9_-]{1,128}$/;

export function matching(value: unknown, pattern: RegExp, at: string): string {
  if (value === undefined) throw invalid(`${at}: Field required`);
  if (typeof value !== "string") throw invalid(`${at}: Input should be a valid string`);
  if (!pattern.test(value)) throw invalid(`${at}: String should match pattern '${pattern.source}'`);
  return value;
}
