/** Makes a file of bytes that are in memory: bytes from a message, or from a tool's result. */
import { createHash } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { MediaType, StoredFile } from "../core/file.ts";
import { newId } from "../core/id.ts";
import type { Files } from "./files.ts";
import { onDisk } from "./on-disk.ts";

export interface FileAbout {
  readonly principal: string;
  readonly name: string;
  readonly mediaType: MediaType;
}

/** Rejects like `Files.save`. */
export async function saveBytes(
  files: Files,
  bytes: Uint8Array,
  { principal, name, mediaType }: FileAbout,
): Promise<StoredFile> {
  const path = join(await files.incoming(), newId("upload"));
  try {
    await onDisk(writeFile(path, bytes, { mode: 0o600 }));
  } catch (error) {
    // The bytes that were written before the error. The caller is told that error, also when the disk refuses this.
    await rm(path, { force: true }).catch(() => {});
    throw error;
  }
  return files.save({
    path,
    file_id: newId("file"),
    principal,
    name,
    media_type: mediaType,
    bytes: bytes.length,
    sha256: createHash("sha256").update(bytes).digest("hex"),
    created_at: Date.now(),
  });
}
