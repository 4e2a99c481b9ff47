/**
 * A message of text, pictures and documents as it is stored: bytes in the request become files of the principal, and
 * files that it names are looked up, so that nobody can send another principal's file.
 */
import { invalid } from "../api/check.ts";
import type { Part } from "../api/parts.ts";
import { fileNotFound, HEAD_BYTES, isImage, mediaTypeOf } from "../core/file.ts";
import { wordsOf, type ContentBlock } from "../core/message.ts";
import type { NewRun } from "../core/run.ts";
import type { Files } from "../engine/files.ts";
import { saveBytes } from "../engine/save-bytes.ts";

export interface Sender {
  readonly files: Files;
  readonly principal: string;
}

/** @throws AppError INVALID_REQUEST, FILE_NOT_FOUND, FILES_FULL */
export async function saidBy(
  message: string | readonly Part[],
  sender: Sender,
): Promise<Pick<NewRun, "message" | "content">> {
  if (typeof message === "string") return { message };
  const content: ContentBlock[] = [];
  for (const [index, part] of message.entries()) content.push(await storedPart(part, `message[${index}]`, sender));
  return { message: wordsOf(message), content };
}

async function storedPart(part: Part, at: string, { files, principal }: Sender): Promise<ContentBlock> {
  if (part.type === "text") return part;
  const { type, source } = part;
  if (source.type === "url") return { type, source };
  if (source.type === "base64") {
    const { file_id } = await storedBytes(Buffer.from(source.data, "base64"), { type, at, files, principal });
    return { type, source: { type: "file", file_id } };
  }
  await assertFits(source.file_id, { type, at, files });
  return { type, source };
}

interface Expected {
  readonly type: "image" | "document";
  readonly at: string;
  readonly files: Files;
}

/**
 * @throws AppError FILE_NOT_FOUND; INVALID_REQUEST for a picture that is sent as a document, or a document as a picture
 */
async function assertFits(fileId: string, { type, at, files }: Expected): Promise<void> {
  const file = await files.find(fileId);
  if (!file) throw fileNotFound(fileId);
  const kind = isImage(file.media_type) ? "image" : "document";
  if (kind !== type) throw invalid(`${at}.type`, `"${kind}" for a file of ${file.media_type}`, type);
}

async function storedBytes(bytes: Buffer, { type, at, files, principal }: Expected & Sender) {
  const mediaType = mediaTypeOf(bytes.subarray(0, HEAD_BYTES));
  if (!mediaType || (isImage(mediaType) ? "image" : "document") !== type)
    throw invalid(`${at}.source.data`, `the bytes of ${type === "image" ? "an image" : "a document"}`, mediaType);
  return saveBytes(files, bytes, { principal, name: type, mediaType });
}
