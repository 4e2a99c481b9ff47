/**
 * What the model is told about tool calls: results as the API takes them, and the truth about calls that have no
 * result. Pure.
 */
import type { ToolCall, Turn } from "../../engine/engine.ts";
import { MEDIA_CHARACTERS, textBlock, type ModelBlock } from "./model-message.ts";
import { mediaOr } from "./media.ts";
import { cutText, isBlank, toJson, wellFormed } from "./well-formed.ts";

/** The API refuses blank text, also in a result. */
const EMPTY = "(empty)";

/** The types that the API takes in a result beside text. */
const PARTS: ReadonlySet<string> = new Set(["image", "document"]);

/** A call that the last assistant message made. */
export interface OpenCall {
  /** The id in the thread; in a broken thread it may be anything. */
  readonly storedId: unknown;
  readonly id: string;
  readonly name: string;
}

/** Text, or a list of text and other parts. */
export type ResultContent = string | readonly ModelBlock[];

export interface Result {
  readonly content: ResultContent;
  readonly isError: boolean;
}

/** @param block a stored `tool_result`; a block of an older version, or a broken one, may lack any field */
export function resultOf(block: { readonly [field: string]: unknown }): Result {
  return { content: contentOf(block["content"]), isError: block["is_error"] === true };
}

/** A run's ledger, and how many steps the run had made before these calls. */
type Ledger = Pick<Turn, "status" | "steps" | "toolCalls">;

export function noResultOf({ name }: OpenCall): Result {
  return { content: `There is no result of ${name}.`, isError: true };
}

/**
 * The result of a call whose turn is over without a result in the thread: the ledger knows whether the call finished,
 * never began, or may have had effects.
 */
export function truthOf(open: OpenCall, { status, steps, toolCalls }: Ledger): Result {
  const { storedId, name } = open;
  const isOurs = (call: ToolCall) => call.stepsBefore === steps && call.toolCallId === storedId;
  const known = toolCalls.find(isOurs);
  if (known?.result) return resultOf({ content: known.result.content, is_error: known.result.isError });
  if (status !== "failed" && status !== "canceled") return noResultOf(open);
  return { content: withoutResult(name, known), isError: true };
}

/** The text for a call that has no result and will get none. @param known the ledger's entry of the call */
export function withoutResult(name: string, known: ToolCall | undefined): string {
  if (!known) return `${name} never began: it did not run.`;
  if (known.effects === "pure") return `${name} was stopped before it finished. It changes nothing.`;
  return `${name} was stopped while it ran. Its outcome is unknown: it may or may not have taken effect.`;
}

/** An old result whose content is left out, to make room for newer ones. */
export function cleared({ content, isError }: Result): Result {
  return { content: `[Cleared to save space: ${lengthOf(content)} characters.]`, isError };
}

/** The results of one answer's calls, each cut to a fair share when all together exceed `characters`. */
export function bounded(results: readonly Result[], characters: number): Result[] {
  const share = fairShare(
    results.map(({ content }) => lengthOf(content)),
    characters,
  );
  return results.map((result) => ({ ...result, content: cutContent(result.content, share) }));
}

/** The largest share that keeps the sum within `total`; lengths below the share are kept whole. */
function fairShare(lengths: readonly number[], total: number): number {
  let left = total;
  const sorted = lengths.toSorted((a, b) => a - b);
  for (const [index, length] of sorted.entries()) {
    const share = Math.floor(left / (sorted.length - index));
    if (length > share) return share;
    left -= length;
  }
  return Infinity;
}

function lengthOf(content: ResultContent): number {
  return typeof content === "string" ? content.length : content.reduce((sum, part) => sum + lengthOfPart(part), 0);
}

function lengthOfPart({ text }: ModelBlock): number {
  return typeof text === "string" ? text.length : MEDIA_CHARACTERS;
}

function cutContent(content: ResultContent, characters: number): ResultContent {
  if (lengthOf(content) <= characters) return content;
  if (typeof content === "string") return cutText(content, characters);
  let left = characters;
  return content.map((part) => {
    const room = Math.max(1, left);
    left -= lengthOfPart(part);
    if (typeof part["text"] === "string") return { ...part, text: cutText(part["text"], room) };
    return left < 0 ? textBlock(`[${part.type} left out: too much at once]`) : part;
  });
}

/** @param content of a stored result; in a broken thread it may be anything */
function contentOf(content: unknown): ResultContent {
  if (typeof content === "string") return isBlank(content) ? EMPTY : content.toWellFormed();
  if (!Array.isArray(content)) return content === undefined || content === null ? EMPTY : asText(content);
  const parts = content.flatMap((part: unknown) => partOf(part));
  return parts.length > 0 ? parts : EMPTY;
}

function partOf(part: unknown): ModelBlock[] {
  if (typeof part === "string") return isBlank(part) ? [] : [textBlock(part.toWellFormed())];
  if (typeof part !== "object" || part === null || !("type" in part) || typeof part.type !== "string") return [];
  if (part.type === "text") return "text" in part && typeof part.text === "string" ? partOf(part.text) : [];
  if (PARTS.has(part.type)) return [mediaOr(part as ModelBlock)];
  return [textBlock(`[${toJson(part) ?? part.type}]`.toWellFormed())];
}

function asText(value: unknown): string {
  const json = JSON.stringify(wellFormed(value)) ?? "";
  return json === "" ? EMPTY : json;
}

/** A result in words, for an agent without tools. */
export function resultAsText(name: string, { content, isError }: Result): ModelBlock[] {
  const parts = typeof content === "string" ? [textBlock(content)] : content;
  return [textBlock(`[${name} ${isError ? "failed" : "answered"}:]`), ...parts];
}

/**
 * The API takes only text in the result of a failed call. The other parts, for example a picture of the page that could
 * not be clicked, follow after all results.
 */
export function withoutMedia({ content, isError }: Result): { readonly result: Result; readonly media: ModelBlock[] } {
  if (!isError || typeof content === "string") return { result: { content, isError }, media: [] };
  const [texts, media] = [content.filter(({ type }) => type === "text"), content.filter(({ type }) => type !== "text")];
  if (media.length === 0) return { result: { content, isError }, media };
  return { result: { content: texts.length > 0 ? texts : "(See below.)", isError }, media };
}
