/**
 * What a run's owner does when its connection breaks: it tries again until the database answers. Nobody knows whether
 * the write under way was committed, so a step is never blindly sent again. Only the owner writes steps of its runs, so
 * the count of a run's steps says which of them were committed (`writer.ts`, `owned.ts`).
 */
import { setTimeout as delay } from "node:timers/promises";
import { hasCode } from "../../core/errors.ts";
import { isLost } from "./errors.ts";

const RETRY_MS = 100;

export class Recovery {
  readonly #stopped = new AbortController();

  /**
   * Repeats work that may be done twice, while the database is away. Once a connection broke, a write is in doubt, and
   * any trouble of the database is waited out: told of that trouble, the caller would write the same step again.
   * Rejects with any other error, and with the last one once `stop` was called.
   * @param isInDoubt whether a connection broke before, under a write of the same step
   */
  async outlast<T>(work: () => Promise<T>, isInDoubt = false): Promise<T> {
    let inDoubt = isInDoubt;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        inDoubt ||= isAway(error);
        if (!inDoubt || !isTrouble(error) || this.#stopped.signal.aborted) throw error;
        await delay(RETRY_MS, undefined, { signal: this.#stopped.signal }).catch(() => {});
      }
    }
  }

  /** Ends all repeats, because the engine is being closed. Idempotent. */
  stop(): void {
    this.#stopped.abort();
  }
}

/** @param error as `Database` throws it */
export function isAway(error: unknown): boolean {
  return error instanceof Error && isLost(error.cause ?? error);
}

/** Whether the database is away, refuses connections or writes for now, or is full. @param error as `Database` throws it */
function isTrouble(error: unknown): boolean {
  return hasCode(error, "STORAGE_UNAVAILABLE") || hasCode(error, "STORAGE_FULL");
}
