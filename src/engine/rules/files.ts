/** How much a principal's files may take, and how they are listed. Called by the drivers. */
import { AppError } from "../../core/errors.ts";
import type { StoredFile } from "../../core/file.ts";
import { MAX_FILES_BYTES } from "../../core/limits.ts";
import type { FilePage } from "../files.ts";

/**
 * Called in the transaction that stores the file. @param taken bytes of all files of the principal so far. @throws
 * AppError FILES_FULL
 */
export function assertRoom({ bytes }: Pick<StoredFile, "bytes">, taken: number): void {
  if (taken + bytes <= MAX_FILES_BYTES) return;
  const detail =
    `Your files take ${taken} bytes; with this one of ${bytes} they would exceed ${MAX_FILES_BYTES}. ` +
    "GET /api/files lists them: delete some.";
  throw new AppError("FILES_FULL", detail);
}

/** A file, and its position among the files of its principal. */
export interface FileRow extends StoredFile {
  readonly n: number;
}

/** A full page may have a next one; a short page is the last. @param bytes of all files of the principal */
export function toFilePage(rows: readonly FileRow[], limit: number, bytes: number): FilePage {
  const next = rows.length === limit ? (rows.at(-1)?.n ?? null) : null;
  return { items: rows.map(({ n: _n, ...file }) => file), next, bytes };
}
