/**
 * Puts the bytes of files into a request: a thread names a file by its id, and the API wants its bytes. Read anew for
 * each request, so that a run that waits for its model holds none of them.
 */
import { hasCode } from "../core/errors.ts";
import type { Files } from "../engine/files.ts";
import { textBlock, type ModelBlock, type ModelMessage } from "./history/model-message.ts";

/** Together with what else is said a request may have 32 MB. https://docs.claude.com/en/api/errors#request-size-limits */
const MAX_REQUEST_BYTES = 20 * 1024 * 1024;

/** Messages without files are returned as they are. Rejects with STORAGE_UNAVAILABLE when a file cannot be read. */
export async function withFiles(messages: readonly ModelMessage[], files: Files): Promise<readonly ModelMessage[]> {
  if (!messages.some(({ content }) => content.some(fileIdOf))) return messages;
  let room = MAX_REQUEST_BYTES;
  const filled: ModelMessage[] = [];
  // From the end: when there are too many files, it is the oldest that are left out.
  for (const message of messages.toReversed()) {
    const content: ModelBlock[] = [];
    for (const block of message.content.toReversed()) {
      const loaded = await load(block, files, room);
      room -= loaded.bytes;
      content.unshift(loaded.block);
    }
    filled.unshift({ ...message, content });
  }
  return filled;
}

interface Loaded {
  readonly block: ModelBlock;
  readonly bytes: number;
}

async function load(block: ModelBlock, files: Files, room: number): Promise<Loaded> {
  const fileId = fileIdOf(block);
  if (fileId === undefined) return { block, bytes: 0 };
  const file = await files.find(fileId);
  if (!file) return { block: textBlock("(A file that stood here was deleted.)"), bytes: 0 };
  if (file.bytes > room)
    return { block: textBlock(`(The file ${file.name} is left out: too many at once.)`), bytes: 0 };
  try {
    const bytes = await files.read(fileId);
    return { block: { ...block, source: sourceOf(file.media_type, bytes) }, bytes: file.bytes };
  } catch (error) {
    // Deleted between the two.
    if (hasCode(error, "FILE_NOT_FOUND")) return load(block, files, room);
    throw error;
  }
}

function sourceOf(mediaType: string, bytes: Buffer): object {
  if (mediaType === "text/plain") return { type: "text", media_type: mediaType, data: bytes.toString().toWellFormed() };
  return { type: "base64", media_type: mediaType, data: bytes.toString("base64") };
}

function fileIdOf({ type, source }: ModelBlock): string | undefined {
  if (type !== "image" && type !== "document") return undefined;
  const { file_id: fileId } = (source ?? {}) as { readonly file_id?: unknown };
  return typeof fileId === "string" ? fileId : undefined;
}
