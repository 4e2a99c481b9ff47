/** A disk that is full, or cannot be reached for a moment, fails no run: reads and writes wait until it is back. */
import { AppError, hasCode } from "../core/errors.ts";
import { outlast } from "../core/outlast.ts";

const PATIENCE = { isTrouble: isStorageTrouble, everyMs: 500 };

/** See `outlast`. */
export function outlastTrouble<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  return outlast(work, signal, PATIENCE);
}

export function isStorageTrouble(error: unknown): boolean {
  if (!(error instanceof AppError)) return false;
  return hasCode(error, "STORAGE_UNAVAILABLE") || hasCode(error, "STORAGE_FULL") || hasCode(error, "OVERLOADED");
}
