/**
 * Which run is to blame when an agent process ends, and what becomes of the runs that it leaves. Called by the drivers.
 *
 * A run is a suspect only if a tool call of its was under way: started in the ledger under the owner's fence, not
 * finished, and not `contained` (see ToolCall). A run that streams, waits for the model or for a delegated run is never
 * counted. Each end of its process in the middle of a tool adds one to the run's count; a finished step sets it back.
 * - crashed: the run is given up at the third in a row, but only if no other run of that process had a tool under
 *   way, so that no innocent neighbour is convicted. From the second on, `trialMs` has its tools run without those of
 *   others in the process: the run that kills it is alone soon, and a neighbour is alone too, and finishes.
 * - gone: the process vanished without a word (a new boot, a lease that ran out). That may be anybody's fault, so it is
 *   counted apart, and ten in a row end the run: one that takes the whole container down ends too.
 * - stopped: it was told to stop. Nobody is counted.
 */
import type { Outcome } from "../../core/run.ts";

export type OwnerEnd = "crashed" | "stopped" | "gone";

const MAX_CRASHES = 3;
const MAX_LOSSES = 10;

const FIRST_TRIAL_MS = 5_000;
const MAX_TRIAL_MS = 300_000;

/** How often in a row the run's process ended in the middle of a tool of its: crashed, or gone. */
export interface Suspicion {
  readonly crashes: number;
  readonly losses: number;
}

export interface LeftRun extends Suspicion {
  readonly hasToolUnderWay: boolean;
  readonly cancelRequested: boolean;
}

export type Verdict =
  | { readonly is: "requeue"; readonly suspicion: Suspicion }
  | { readonly is: "end"; readonly outcome: Outcome };

/** @param suspects how many runs of the same owner had a tool under way, this one included */
export function judge(run: LeftRun, end: OwnerEnd, suspects: number): Verdict {
  if (run.cancelRequested) return { is: "end", outcome: { status: "canceled" } };
  const { crashes, losses } = suspicionAfter(run, end);
  if (run.hasToolUnderWay && crashes >= MAX_CRASHES && end === "crashed" && suspects === 1) {
    return poisoned(`Its process died ${crashes} times in a row while it ran a tool; it is not tried again.`);
  }
  if (losses >= MAX_LOSSES) {
    return poisoned(`Its process vanished ${losses} times in a row while it ran a tool; it is not tried again.`);
  }
  return { is: "requeue", suspicion: { crashes, losses } };
}

/** For how long the tools of the run have to run alone in their process; 0 when they may run beside those of others. */
export function trialMs({ crashes, losses }: Suspicion): number {
  const deaths = crashes + losses;
  // Longer each time, so that a tool that kills its process late is alone, too, when it does.
  return deaths < 2 ? 0 : Math.min(MAX_TRIAL_MS, FIRST_TRIAL_MS * 2 ** (deaths - 2));
}

function suspicionAfter({ crashes, losses, hasToolUnderWay }: LeftRun, end: OwnerEnd): Suspicion {
  if (!hasToolUnderWay || end === "stopped") return { crashes, losses };
  return end === "crashed" ? { crashes: crashes + 1, losses } : { crashes, losses: losses + 1 };
}

function poisoned(detail: string): Verdict {
  return { is: "end", outcome: { status: "failed", error: { code: "POISONED", detail } } };
}
