/** Pictures and documents that users send and models read: their fields, and the types that exist. Pure. */

import { AppError } from "./errors.ts";

export interface StoredFile {
  readonly file_id: string;
  readonly principal: string;
  /** The client's name for the file, shown to people. */
  readonly name: string;
  readonly media_type: MediaType;
  readonly bytes: number;
  /** In hexadecimal. Files of the same content are stored once. */
  readonly sha256: string;
  /** Milliseconds since the epoch. */
  readonly created_at: number;
}

/** The types that the Messages API reads: as images, and as documents. */
export const IMAGE_TYPES = ["image/png", "image/jpeg", "image/gif", "image/webp"] as const;
export const DOCUMENT_TYPES = ["application/pdf", "text/plain"] as const;
export type MediaType = (typeof IMAGE_TYPES)[number] | (typeof DOCUMENT_TYPES)[number];

/** How many bytes of a file are enough to tell its type. */
export const HEAD_BYTES = 512;

/** The head is read as Latin-1, in which one character is one byte. */
const SIGNATURES: readonly (readonly [MediaType, (head: string) => boolean])[] = [
  ["image/png", (head) => head.startsWith("\x89PNG\r\n\x1a\n")],
  ["image/jpeg", (head) => head.startsWith("\xff\xd8\xff")],
  ["image/gif", (head) => head.startsWith("GIF87a") || head.startsWith("GIF89a")],
  ["image/webp", (head) => head.startsWith("RIFF") && head.startsWith("WEBP", 8)],
  ["application/pdf", (head) => head.startsWith("%PDF-")],
];

/**
 * The type of a file by its first bytes; the type that a client states does not count.
 * @param head the first HEAD_BYTES bytes, or fewer if the file is shorter
 * @returns undefined for a file that no model reads
 */
export function mediaTypeOf(head: Uint8Array): MediaType | undefined {
  const latin1 = String.fromCodePoint(...head);
  const [known] = SIGNATURES.find(([, matches]) => matches(latin1)) ?? [];
  return known ?? (isText(head) ? "text/plain" : undefined);
}

/** Whether the bytes are UTF-8 without control characters. The last character may be cut off. */
function isText(head: Uint8Array): boolean {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: true });
    return head.length > 0 && !/[\p{Cc}]/u.test(text.replaceAll(/[\t\n\r\f]/g, ""));
  } catch {
    return false;
  }
}

export function isImage(type: MediaType): boolean {
  return (IMAGE_TYPES as readonly string[]).includes(type);
}

/** The path where clients read files; a file's id follows. */
export const FILE_PATH = "/api/files/";

export function filePath(fileId: string): string {
  return `${FILE_PATH}${encodeURIComponent(fileId)}`;
}

/** A path of this server, which may be served under a BASE_PATH. */
const OWN_FILE = new RegExp(`^(?:/[\\w.~-]+)*?${FILE_PATH}([\\w-]+)$`);

/** @returns the id of the file whose path this is; undefined for everything else, such as a URL of another server */
export function fileIdIn(path: string): string | undefined {
  return OWN_FILE.exec(path)?.[1];
}

export function fileNotFound(fileId: string): AppError {
  return new AppError("FILE_NOT_FOUND", `There is no file ${JSON.stringify(fileId.slice(0, 140))}; upload it anew.`);
}
