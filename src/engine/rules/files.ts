/** How much a principal's files may take. Called by the drivers, in the transaction that stores the file. */
import { AppError } from "../../core/errors.ts";
import type { StoredFile } from "../../core/file.ts";
import { MAX_FILES_BYTES } from "../../core/limits.ts";

/** @param taken bytes of all files of the principal. @throws AppError FILES_FULL */
export function assertRoom({ bytes }: Pick<StoredFile, "bytes">, taken: number): void {
  if (taken + bytes <= MAX_FILES_BYTES) return;
  const detail = `Your files take ${taken} bytes; with this one of ${bytes} they would exceed ${MAX_FILES_BYTES}. Delete some.`;
  throw new AppError("FILES_FULL", detail);
}
