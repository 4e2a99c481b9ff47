/** How long a run took, or has taken so far. */
import type { Run } from "../../core/run.ts";

/** From the POST, as in the waterfall, to the end, or to now. */
export function durationOf(run: Pick<Run, "created_at" | "finished_at">, now: number): number {
  return Math.max(0, (run.finished_at ?? now) - run.created_at);
}
