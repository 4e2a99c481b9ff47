/** What waits for a run outlasts a trouble of the storage: the run goes on meanwhile. Used by streams and by replies. */
import { setTimeout as sleep } from "node:timers/promises";
import { hasCode } from "../core/errors.ts";

/** Retry interval while the storage fails. */
export const STORAGE_RETRY_MS = 500;

/**
 * Repeats `read` while the storage fails. Rejects at once with any other error.
 * @param signal once it is aborted, the next failure is final: the trouble of the storage rejects
 */
export async function outlast<T>(read: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (;;) {
    try {
      return await read();
    } catch (error) {
      if (!hasCode(error, "STORAGE_UNAVAILABLE") || signal.aborted) throw error;
    }
    await sleep(STORAGE_RETRY_MS, undefined, { signal }).catch(() => {});
  }
}
