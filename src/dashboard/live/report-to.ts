/** Work whose failure a page shows: used by the models of lists and of the chat. */
import type { Signal } from "@preact/signals";
import { problemOf, type Problem } from "./api-error.ts";

/**
 * Afterwards `error` says why the work failed, or null. Never rejects.
 * @param signal when it is aborted, the failure is only that, and is not shown
 */
export async function reportTo(
  error: Signal<Problem | null>,
  work: () => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  try {
    await work();
    error.value = null;
  } catch (failed) {
    if (!signal?.aborted) error.value = problemOf(failed);
  }
}
