/**
 * The time limit of one run: its end aborts the run, and shortly before, `late` tells tools to stop. Owned by
 * `work.ts`.
 */
import type { Agent } from "../core/agent.ts";
import { AppError } from "../core/errors.ts";
import type { Claim } from "../engine/engine.ts";

/** The time kept for the model's last word: a share of a short run, and at most this. */
const LAST_WORD_SHARE = 0.2;
const LAST_WORD_MS = 30_000;

export class RunTime implements Disposable {
  /** Aborted when only the time for the last word is left, and when the run is. */
  readonly late: AbortSignal;
  /** The end of the run's time, by `performance.now()`. */
  readonly deadline: number;
  readonly #timers: readonly NodeJS.Timeout[];

  /** @throws AppError RUN_TIMEOUT when no time is left */
  constructor(
    { run, spentMs }: Pick<Claim, "run" | "spentMs">,
    { limits }: Pick<Agent, "limits">,
    abort: AbortController,
  ) {
    const timeoutMs = Math.min(run.timeout_ms ?? limits.timeoutMs, limits.timeoutMs);
    const timedOut = new AppError("RUN_TIMEOUT", `The run took longer than its time limit of ${timeoutMs} ms.`);
    // A run that was taken over does not get its whole time again.
    const leftMs = timeoutMs - spentMs;
    if (leftMs <= 0) throw timedOut;
    this.deadline = performance.now() + leftMs;
    const late = new AbortController();
    const lateMs = Math.max(0, leftMs - Math.min(LAST_WORD_MS, timeoutMs * LAST_WORD_SHARE));
    this.late = AbortSignal.any([abort.signal, late.signal]);
    this.#timers = [
      setTimeout(() => abort.abort(timedOut), leftMs),
      setTimeout(() => late.abort(new Error("The time of the run is nearly up.")), lateMs),
    ];
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }
}
