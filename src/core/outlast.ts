/** Outlasts a passing trouble, such as one of the storage, by trying again. */
import { setTimeout as sleep } from "node:timers/promises";

export interface Patience {
  /** True for the errors that pass. */
  readonly isTrouble: (error: unknown) => boolean;
  readonly everyMs: number;
}

/**
 * Repeats `work` while it is in trouble. Rejects at once with any other error.
 * @param signal once it is aborted, the next failure is final: that trouble rejects
 */
export async function outlast<T>(
  work: () => Promise<T>,
  signal: AbortSignal,
  { isTrouble, everyMs }: Patience,
): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isTrouble(error) || signal.aborted) throw error;
    }
    await sleep(everyMs, undefined, { signal }).catch(() => {});
  }
}
