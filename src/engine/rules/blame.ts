/**
 * Which run is to blame when an agent process ends, and what becomes of the runs that it leaves. Called by the drivers.
 *
 * A run is a suspect only if one of its tool calls was under way: started in the ledger under the owner's fence, not
 * finished, and not `contained` (see ToolCall). A run that streams, waits for the model or for a delegated run is never
 * counted. Each end of its process in the middle of a tool adds one to the run's count; a finished step resets the
 * count to 0: a model call, or a tool call whose result is stored.
 * - crashed: the run is given up at the third crash in a row, but only if no other run of that process had a tool under
 *   way, so that no other run is blamed for it. From the second crash on, the run's tools run for `trialMs` without
 *   tools of other runs in the process. So a run that kills the process is soon found alone, and an innocent run
 *   finishes alone.
 * - gone: the process vanished without a word (a new boot, a lease that ran out). The cause may be any run or none, so
 *   these ends are counted apart, and ten in a row end the run: this also stops a run that takes the whole container
 *   down.
 * - stopped: the process was told to stop. No run is counted.
 */
import type { Outcome } from "../../core/run.ts";
import type { Step } from "../engine.ts";

export type OwnerEnd = "crashed" | "stopped" | "gone";

const MAX_CRASHES = 3;
const MAX_LOSSES = 10;

const FIRST_TRIAL_MS = 5_000;
const MAX_TRIAL_MS = 300_000;

/** How often in a row the run's process ended in the middle of one of its tools: by a crash, or without a word. */
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

/** For how long the run's tools have to run alone in their process; 0 when they may run beside tools of other runs. */
export function trialMs({ crashes, losses }: Suspicion): number {
  const deaths = crashes + losses;
  // Longer each time: a tool that kills its process late must still be alone when it does.
  return deaths < 2 ? 0 : Math.min(MAX_TRIAL_MS, FIRST_TRIAL_MS * 2 ** (deaths - 2));
}

/** Whether a write finishes a step, and so resets the counts. A tool call whose result is stored is never repeated. */
export function finishesStep({ steps, toolCalls = [] }: Pick<Step, "steps" | "toolCalls">): boolean {
  return steps !== undefined || toolCalls.some(({ result }) => result !== null);
}

function suspicionAfter({ crashes, losses, hasToolUnderWay }: LeftRun, end: OwnerEnd): Suspicion {
  if (!hasToolUnderWay || end === "stopped") return { crashes, losses };
  return end === "crashed" ? { crashes: crashes + 1, losses } : { crashes, losses: losses + 1 };
}

function poisoned(detail: string): Verdict {
  return { is: "end", outcome: { status: "failed", error: { code: "POISONED", detail } } };
}
