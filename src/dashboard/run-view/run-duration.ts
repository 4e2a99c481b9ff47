/** How long a run took, or takes so far. */
import type { Run } from "../../core/run.ts";

/** From its start to its end, or to now; null while it is queued for the first time. */
export function durationOf(run: Pick<Run, "started_at" | "finished_at">, now: number): number | null {
  if (run.started_at === null) return null;
  return Math.max(0, (run.finished_at ?? now) - run.started_at);
}
