/** How long a run took, or takes so far. */
import type { Run } from "../../core/run.ts";

/** From the POST, as the waterfall counts too, to its end, or to now. */
export function durationOf(run: Pick<Run, "created_at" | "finished_at">, now: number): number {
  return Math.max(0, (run.finished_at ?? now) - run.created_at);
}
