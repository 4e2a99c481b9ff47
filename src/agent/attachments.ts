/**
 * Puts the bytes of files into a request: a thread names a file by its id, and the API wants its bytes. The bytes are
 * read anew for each request, so that a run that waits for its model holds none of them. A file that the API would
 * refuse is left out, in tool results and in messages: the API would refuse the whole request because of it, each time.
 */
import { hasCode } from "../core/errors.ts";
import { isImage, type StoredFile } from "../core/file.ts";
import { MANY_PICTURES, MAX_PIXELS, MAX_PIXELS_OF_MANY, whyUnreadable } from "../core/picture.ts";
import type { Files } from "../engine/files.ts";
import { textBlock, type ModelBlock, type ModelMessage } from "./history/model-message.ts";

/** A request may have 32 MB, with everything else in it. https://docs.claude.com/en/api/errors#request-size-limits */
const MAX_REQUEST_BYTES = 20 * 1024 * 1024;
/** The API's limit for a model with a window of 200,000 tokens. */
const MAX_REQUEST_FILES = 100;
/**
 * When there are too many bytes, the oldest files are left out, and more of them than necessary: each time that one
 * more is left out, the prompt cache is lost from that place on.
 */
const BYTES_AT_ONCE = MAX_REQUEST_BYTES / 5;
const FILES_AT_ONCE = MAX_REQUEST_FILES / 5;

/** Messages without files are returned as they are. Rejects with STORAGE_UNAVAILABLE when a file cannot be read. */
export async function withFiles(messages: readonly ModelMessage[], files: Files): Promise<readonly ModelMessage[]> {
  const ids = messages.flatMap(({ content }) => content.flatMap(fileIdsOf));
  if (ids.length === 0) return messages;
  const blocks = await blocksFor(ids, files);
  const next = (block: ModelBlock): ModelBlock =>
    fileIdOf(block) === undefined ? block : filled(block, blocks.shift());
  return messages.map((message) => ({
    ...message,
    content: message.content.map((block) => {
      const { content } = block;
      return block.type === "tool_result" && Array.isArray(content)
        ? { ...block, content: content.map(next) }
        : next(block);
    }),
  }));
}

/** In the order of the request. A file that is named twice is sent twice. */
function fileIdsOf(block: ModelBlock): string[] {
  const parts = block.type === "tool_result" && Array.isArray(block["content"]) ? block["content"] : [block];
  return parts.flatMap((part: ModelBlock) => fileIdOf(part) ?? []);
}

function fileIdOf({ type, source }: ModelBlock): string | undefined {
  if (type !== "image" && type !== "document") return undefined;
  const { file_id: fileId } = (source ?? {}) as { readonly file_id?: unknown };
  return typeof fileId === "string" ? fileId : undefined;
}

/** What replaces a file's id: the source with its bytes, or a text that says why there are none. */
type InPlace = { readonly source: object } | { readonly text: string };

function filled(block: ModelBlock, inPlace: InPlace | undefined): ModelBlock {
  if (!inPlace) return block;
  return "text" in inPlace ? textBlock(`(${inPlace.text})`) : { ...block, source: inPlace.source };
}

const DELETED: InPlace = { text: "A file that stood here was deleted." };

async function blocksFor(ids: readonly string[], files: Files): Promise<InPlace[]> {
  const found = await Promise.all(ids.map((id) => files.find(id)));
  const first = firstSent(found);
  const isSent = (file: StoredFile | undefined, index: number) => file !== undefined && index >= first;
  const pictures = found.filter((file, index) => isSent(file, index) && file && isImage(file.media_type)).length;
  const maxPixels = pictures > MANY_PICTURES ? MAX_PIXELS_OF_MANY : MAX_PIXELS;
  const blocks: InPlace[] = [];
  for (const [index, file] of found.entries()) {
    if (!file) blocks.push(DELETED);
    else if (isSent(file, index)) blocks.push(await load(file, files, maxPixels));
    else blocks.push({ text: `The file ${file.name} is left out: too many at once.` });
  }
  return blocks;
}

/** The index of the first file from which all files fit. */
function firstSent(found: readonly (StoredFile | undefined)[]): number {
  const total = found.reduce((sum, file) => sum + (file?.bytes ?? 0), 0);
  let bytes = excess(total, MAX_REQUEST_BYTES, BYTES_AT_ONCE);
  let count = excess(found.length, MAX_REQUEST_FILES, FILES_AT_ONCE);
  const first = found.findIndex((file) => {
    const isFirst = bytes <= 0 && count <= 0;
    bytes -= file?.bytes ?? 0;
    count -= 1;
    return isFirst;
  });
  return first < 0 ? found.length : first;
}

/** How much has to be left out, in whole steps. */
function excess(size: number, most: number, step: number): number {
  return Math.ceil(Math.max(0, size - most) / step) * step;
}

async function load(file: StoredFile, files: Files, maxPixels: number): Promise<InPlace> {
  try {
    const bytes = await files.read(file.file_id);
    const problem = isImage(file.media_type) ? whyUnreadable(file.media_type, bytes, maxPixels) : undefined;
    if (problem !== undefined) return { text: `The picture ${file.name} is left out: ${problem}.` };
    return { source: sourceOf(file.media_type, bytes) };
  } catch (error) {
    // The file was deleted between the two reads.
    if (hasCode(error, "FILE_NOT_FOUND")) return DELETED;
    throw error;
  }
}

function sourceOf(mediaType: string, bytes: Buffer): object {
  if (mediaType === "text/plain") return { type: "text", media_type: mediaType, data: bytes.toString().toWellFormed() };
  return { type: "base64", media_type: mediaType, data: bytes.toString("base64") };
}
