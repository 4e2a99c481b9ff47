/** The blocks of a stored answer as the API takes them back. Pure, except for the ids that it gives out. */
import type { Message } from "../../core/message.ts";
import { toolName, type CallNames } from "./call-names.ts";
import { textBlock, type Audience, type ModelBlock } from "./model-message.ts";
import type { OpenCall } from "./tool-results.ts";
import { isBlank, toJson, wellFormed } from "./well-formed.ts";

const THINKING: ReadonlySet<string> = new Set(["thinking", "redacted_thinking"]);
const MEDIA: ReadonlySet<string> = new Set(["image", "document"]);
const KNOWN: ReadonlySet<string> = new Set([...THINKING, ...MEDIA, "text", "tool_use", "tool_result"]);

export interface Rendered {
  readonly blocks: readonly ModelBlock[];
  readonly calls: readonly OpenCall[];
}

/** A call of a tool that runs at the API. */
export interface ServerCall {
  readonly id: unknown;
  readonly name: unknown;
}

/** A stored block. A block of an older version, or a broken one, may lack any field. */
export interface StoredBlock {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** @param names gives out the ids; the same answer rendered at the same place gets the same ids */
export function renderAnswer(message: Message, audience: Audience, names: CallNames): Rendered {
  const calls: OpenCall[] = [];
  const blocks = storedBlocks(message.content).flatMap((block): ModelBlock[] => {
    if (THINKING.has(block.type)) return message.model === audience.model && isSigned(block) ? [block] : [];
    if (MEDIA.has(block.type)) return asWords("sent", block.type);
    if (block.type === "text") return textOf(block).map((text) => withCitations(text, block));
    if (block.type === "tool_result") return asWords("a tool answered", block["content"]);
    if (block.type !== "tool_use") return [wellFormed(block)];
    const call = { storedId: block["id"], id: names.idFor(block["id"]), name: toolName(block["name"]) };
    calls.push(call);
    return audience.hasTools ? [useOf(call, block)] : asWords(`calls ${call.name}`, inputOf(block["input"]));
  });
  return { blocks: trimEnd(blocks), calls };
}

/** Whether the answer waits for a tool of the API: then it is sent back as the last message. */
export function isPaused({ content }: Message): boolean {
  return storedBlocks(content).some(({ type }) => !KNOWN.has(type));
}

/** The server tools that were called and have no result, after `blocks` was added. */
export function serverCalls(before: readonly ServerCall[], blocks: readonly ModelBlock[]): ServerCall[] {
  const called = blocks.filter(({ type }) => type === "server_tool_use");
  const answered = new Set(blocks.map((block) => block["tool_use_id"]));
  return [...before, ...called.map((block) => ({ id: block["id"], name: block["name"] }))].filter(
    ({ id }) => !answered.has(id),
  );
}

/** The API's own error result of a server tool: the API refuses an answer with a call that has no result. */
export function unavailable({ id, name }: ServerCall): ModelBlock {
  const type = `${toolName(name)}_tool_result`;
  return { type, tool_use_id: id, content: { type: `${type}_error`, error_code: "unavailable" } };
}

/** Any stored content as a list of blocks; an item that has no type and is not text is left out. */
export function storedBlocks(content: unknown): StoredBlock[] {
  if (typeof content === "string") return [{ type: "text", text: content }];
  if (!Array.isArray(content)) return [];
  return content.flatMap((block: unknown) => {
    if (typeof block === "string") return [{ type: "text", text: block }];
    return isStoredBlock(block) ? [block] : [];
  });
}

function isStoredBlock(block: unknown): block is StoredBlock {
  if (typeof block !== "object" || block === null || !("type" in block)) return false;
  if (block.type === "text" || block.type === "thinking") return true;
  // An input that is nested too deep would make the whole request fail.
  return typeof block.type === "string" && toJson(block) !== undefined;
}

export function textOf({ text }: StoredBlock): ModelBlock[] {
  return typeof text === "string" && !isBlank(text) ? [textBlock(text.toWellFormed())] : [];
}

/** Citations go back as they came: those of search results hold fields that the API reads them by. */
function withCitations(text: ModelBlock, { citations }: StoredBlock): ModelBlock {
  if (!Array.isArray(citations) || !citations.every(isCitation)) return text;
  return citations.length > 0 && toJson(citations) !== undefined ? { ...text, citations: wellFormed(citations) } : text;
}

function isCitation(citation: unknown): boolean {
  return typeof citation === "object" && citation !== null && "type" in citation && typeof citation.type === "string";
}

export function asWords(what: string, value: unknown): ModelBlock[] {
  const words = typeof value === "string" ? value : (toJson(value) ?? "");
  return [textBlock(`[${what}: ${words}]`.toWellFormed())];
}

/** A signature covers every character, so thinking goes back exactly as it came or not at all. */
function isSigned({ type, thinking, signature, data }: StoredBlock): boolean {
  if (type === "redacted_thinking") return isText(data);
  return isText(signature) && typeof thinking === "string" && thinking.isWellFormed();
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.isWellFormed();
}

function useOf({ id, name }: OpenCall, { input }: StoredBlock): ModelBlock {
  return { type: "tool_use", id, name, input: inputOf(input) };
}

function inputOf(input: unknown): unknown {
  if (input === undefined || input === null) return {};
  const isObject = typeof input === "object" && !Array.isArray(input);
  return wellFormed(isObject ? input : { value: input });
}

/** The API refuses an answer that ends in thinking, and one whose last text ends in white space. */
function trimEnd(blocks: readonly ModelBlock[]): ModelBlock[] {
  const end = blocks.findLastIndex(({ type }) => !THINKING.has(type)) + 1;
  const last = blocks[end - 1];
  if (!last) return [];
  const { text } = last;
  return [
    ...blocks.slice(0, end - 1),
    last.type === "text" && typeof text === "string" ? { ...last, text: text.trimEnd() } : last,
  ];
}
