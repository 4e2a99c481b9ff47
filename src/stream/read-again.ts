/** A read for somebody who waits for a run outlasts a trouble of the storage: the run goes on meanwhile. Used by streams and replies. */
import { hasCode } from "../core/errors.ts";
import { outlast } from "../core/outlast.ts";

/** Retry interval while the storage fails. */
export const STORAGE_RETRY_MS = 500;

const PATIENCE = {
  isTrouble: (error: unknown) => hasCode(error, "STORAGE_UNAVAILABLE"),
  everyMs: STORAGE_RETRY_MS,
};

/** See `outlast`. */
export function readAgain<T>(read: () => Promise<T>, signal: AbortSignal): Promise<T> {
  return outlast(read, signal, PATIENCE);
}
