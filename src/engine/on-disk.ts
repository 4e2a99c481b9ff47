/**
 * Turns errors of the file system into errors of the engine. For the drivers, and for whatever writes bytes into
 * `Files.incoming`.
 */
import { AppError } from "../core/errors.ts";

const RETRY_AFTER_S = 5;
export const DISK_FULL = "The disk that holds DATA_DIR is full; free some space.";
export const DISK_FAILED = "Reading or writing the data failed; check the disk.";

/** Any work with files, and with nothing else: an error of a socket looks like one of a file. */
export async function onDisk<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw diskError(error);
  }
}

/** Other errors, our own bugs among them, are returned unchanged. The path stays in the cause: clients read the text. */
export function diskError(error: unknown): unknown {
  if (!isSystemError(error)) return error;
  const cause = { cause: error, retryAfterS: RETRY_AFTER_S };
  return isNoRoom(error)
    ? new AppError("STORAGE_FULL", DISK_FULL, cause)
    : new AppError("STORAGE_UNAVAILABLE", DISK_FAILED, cause);
}

/** No room on the disk, or none for this user. */
export function isNoRoom(error: unknown): boolean {
  return isSystemError(error) && (error.code === "ENOSPC" || error.code === "EDQUOT");
}

/** A call of the operating system that failed. Its message names the call and the path. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error && "code" in error;
}
