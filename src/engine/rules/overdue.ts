/** How a run ends that waited in the queue longer than its client wanted. Called by the drivers. */
import type { Outcome } from "../../core/run.ts";

/** How many overdue runs are ended at once. */
export const OVERDUE_AT_ONCE = 100;

export function overdueOutcome(queueMs: number): Outcome {
  const detail = `The run waited in the queue for longer than its limit of ${queueMs} ms, and was never begun.`;
  return { status: "failed", error: { code: "QUEUE_TIMEOUT", detail } };
}
