/**
 * What a run's owner does when its connection breaks: it asks again until the database answers. Nobody knows whether the
 * write under way was committed, so a step is never simply sent once more. Only the owner moves its journals' ends, so
 * these say what is there (`writer.ts`, `owned.ts`).
 */
import { setTimeout as delay } from "node:timers/promises";
import { isLost } from "./errors.ts";

const RETRY_MS = 100;

export class Recovery {
  readonly #stopped = new AbortController();

  /** Repeats what may be done twice. Rejects with any other error, and with the last one once `stop` was called. */
  async outlast<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!isAway(error) || this.#stopped.signal.aborted) throw error;
        await delay(RETRY_MS, undefined, { signal: this.#stopped.signal }).catch(() => {});
      }
    }
  }

  /** The engine is being closed: nobody waits any longer. Idempotent. */
  stop(): void {
    this.#stopped.abort();
  }
}

/** @param error as `Database` throws it */
export function isAway(error: unknown): boolean {
  return error instanceof Error && isLost(error.cause ?? error);
}
