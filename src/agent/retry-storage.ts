/** A disk that is full, or cannot be reached for a moment, fails no run: reads and writes wait until it is back. */
import { AppError, hasCode } from "../core/errors.ts";
import { sleep } from "./sleep.ts";

const RETRY_MS = 500;

/**
 * Repeats `work` until the storage works again. Rejects with any other error, and with the last one once `signal`
 * aborts.
 */
export async function outlastTrouble<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isStorageTrouble(error) || signal.aborted) throw error;
      await sleep(RETRY_MS, signal).catch(() => {});
    }
  }
}

export function isStorageTrouble(error: unknown): boolean {
  if (!(error instanceof AppError)) return false;
  return hasCode(error, "STORAGE_UNAVAILABLE") || hasCode(error, "STORAGE_FULL") || hasCode(error, "OVERLOADED");
}
