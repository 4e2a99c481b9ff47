/** Makes a file of bytes that are in memory: bytes from a message, or from a tool's result. */
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { MediaType, StoredFile } from "../core/file.ts";
import { newId } from "../core/id.ts";
import type { Files } from "./files.ts";

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
  await writeFile(path, bytes, { mode: 0o600 });
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
