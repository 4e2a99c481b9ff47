/**
 * A tool's result as it leaves the place where the tool ran: text, or a list of texts and of bytes that are meant to be
 * pictures or documents. The result is bounded while it is made, as in `text.ts`. Bytes cross as base64;
 * `keep-parts.ts` makes files of them, and their first bytes tell the type.
 */
import { HEAD_BYTES, mediaTypeOf } from "../../core/file.ts";
import { asText, cut, MAX_RESULT_CHARACTERS } from "./text.ts";

export type GivenPart =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "media"; readonly data: string };

export type GivenContent = string | readonly GivenPart[];

/** Bounds of one result. Parts beyond them are left out, and a text says so. */
export const MAX_MEDIA_PARTS = 20;
/** For all parts together: as much as two of the largest pictures that a model reads. */
const MAX_MEDIA_BYTES = 8 * 1024 * 1024;
const MAX_PARTS = 1_000;
/**
 * Characters of base64 that are read per character of text: a character has at most 4 bytes of UTF-8, and 4 characters
 * of base64 hold 3 bytes. Must be a multiple of 4.
 */
const BASE64_A_CHARACTER = 8;

/** @param value what the tool returned: parts when it is `{ content: [parts] }`, text otherwise */
export function contentOf(value: unknown): GivenContent {
  const given = partsIn(value);
  return given ? boundedParts(given.parts, given) : asText(value);
}

interface Bounding {
  /** Of how many parts these are the first. */
  readonly total?: number;
  /** Removes from a text what nobody may see. */
  readonly hide?: (text: string) => string;
}

/** All texts together are bounded like the text of one result, and what is cut off is said. Empty texts are left out. */
export function boundedParts(
  parts: readonly GivenPart[],
  { total = parts.length, hide = (text) => text }: Bounding = {},
): GivenContent {
  let [room, media, bytes] = [MAX_RESULT_CHARACTERS, 0, 0];
  let missing = Math.max(0, total - MAX_PARTS);
  const kept = parts.slice(0, MAX_PARTS).flatMap((given): GivenPart[] => {
    const part = readable(given);
    if (part.type === "text") {
      const text = hide(part.text);
      if (text === "") return [];
      if (room === 0) {
        missing += 1;
        return [];
      }
      // Of many bytes, only the beginning was decoded, so nobody knows how many characters there are.
      const length = given.type === "media" && text.length > room ? undefined : text.length;
      const shown = cut(text, length, room);
      room -= Math.min(text.length, room);
      return [{ type: "text", text: shown }];
    }
    const size = bytesOf(part.data);
    if (media === MAX_MEDIA_PARTS) return [leftOut(size, `a result has at most ${MAX_MEDIA_PARTS} files`)];
    if (bytes + size > MAX_MEDIA_BYTES)
      return [leftOut(size, `a result has at most ${MAX_MEDIA_BYTES} bytes of files`)];
    media += 1;
    bytes += size;
    return [part];
  });
  if (missing > 0) kept.push({ type: "text", text: `[cut: ${missing} more ${missing === 1 ? "part" : "parts"}]` });
  return kept.some(({ type }) => type === "media") ? kept : kept.map((part) => "text" in part && part.text).join("\n");
}

/** Bytes that are readable text become a text part, so that the bounds of texts hold for them. */
function readable(part: GivenPart): GivenPart {
  if (part.type === "text") return part;
  const head = Buffer.from(part.data.slice(0, HEAD_BYTES * 2), "base64").subarray(0, HEAD_BYTES);
  if (mediaTypeOf(head) !== "text/plain") return part;
  const most = part.data.slice(0, MAX_RESULT_CHARACTERS * BASE64_A_CHARACTER);
  return { type: "text", text: Buffer.from(most, "base64").toString().toWellFormed() };
}

/** How many bytes base64 stands for. */
export function bytesOf(data: string): number {
  const padding = data.endsWith("==") ? 2 : Number(data.endsWith("="));
  return Math.floor(((data.length - padding) * 3) / 4);
}

/** Tells the model what a file was in whose place this stands. */
export function leftOut(size: number, why: string) {
  return { type: "text" as const, text: `[A file of ${size} bytes is left out: ${why}.]` };
}

/** Undefined unless each item is a part: any other object is an ordinary result, and is shown as JSON. */
function partsIn(value: unknown): { readonly parts: readonly GivenPart[]; readonly total: number } | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { content } = value as { readonly content?: unknown };
  if (!Array.isArray(content) || content.length === 0) return undefined;
  const parts = content.slice(0, MAX_PARTS).flatMap((item: unknown) => partFrom(item) ?? []);
  const total = content.length;
  return parts.length === Math.min(total, MAX_PARTS) ? { parts, total } : undefined;
}

/**
 * A part as `ToolParts` describes it. The Messages API's own shape, `source: { type: "base64", data }`, is accepted,
 * too.
 */
function partFrom(item: unknown): GivenPart | undefined {
  if (typeof item !== "object" || item === null) return undefined;
  const { type, text, data, source } = item as Readonly<Record<string, unknown>>;
  if (type === "text") return typeof text === "string" ? { type, text } : undefined;
  if (type !== "image" && type !== "document") return undefined;
  const bytes = asBase64(data ?? (source as { readonly data?: unknown } | null | undefined)?.data);
  return bytes === undefined ? undefined : { type: "media", data: bytes };
}

function asBase64(data: unknown): string | undefined {
  if (typeof data === "string") return data;
  if (data instanceof ArrayBuffer) return asBase64(new Uint8Array(data));
  if (!ArrayBuffer.isView(data)) return undefined;
  // One byte too many already shows that the data is too large; encoding 50 MB would waste time and memory.
  const size = Math.min(data.byteLength, MAX_MEDIA_BYTES + 1);
  return Buffer.from(data.buffer as ArrayBuffer, data.byteOffset, size).toString("base64");
}
