/**
 * The circuit breaker between this agent process and one model, so that a model in trouble gets one request instead of
 * hundreds. Owned by `breakers.ts`, asked by `model.ts`.
 *
 * | state     | what happens                            | next state | calls that wait                                |
 * |-----------|-----------------------------------------|------------|------------------------------------------------|
 * | closed    | a whole answer                          | closed     | (none wait)                                    |
 * | closed    | `FAILURES_IN_A_ROW` failures            | open       |                                                |
 * | open      | the pause is over                       | half-open  | the first one is let through: it is the trial  |
 * | half-open | the model answers the trial             | closed     | all are let through                            |
 * | half-open | the trial fails                         | open       | all fail with the same error                   |
 * | half-open | the trial ends otherwise (a cancel)     | half-open  | the next one is the trial                      |
 *
 * Results of calls that began before the breaker opened change nothing while it is open or half-open: the server's
 * Retry-After still applies to new calls.
 */
import { backoffMs } from "../core/backoff.ts";

/** Failures of all runs together, without a whole answer between them. */
const FAILURES_IN_A_ROW = 10;
/** Short, so that calls go on soon after the model is well again: a trial every five seconds harms nobody. */
const OPEN = { firstMs: 500, maxMs: 5_000 };

/** One call that was let through. Report what comes of it, and `leave` when it has ended, however it ended. */
export interface Passage {
  /** The model has begun to answer. */
  heard(): void;
  succeeded(): void;
  /** @param error what the calls get that wait for the outcome of this one; each counts it as its own failure */
  failed(error: unknown, retryAfterMs?: number): void;
  leave(): void;
}

interface Waiting {
  readonly pass: () => void;
  readonly fail: (error: unknown) => void;
}

/** `openings` counts how often it has opened since the last whole answer: the pause grows with it. */
type State =
  | { readonly is: "closed"; readonly failures: number; readonly openings: number }
  | { readonly is: "open"; readonly until: number; readonly timer: NodeJS.Timeout; readonly openings: number }
  | { readonly is: "half-open"; readonly trial: Passage | undefined; readonly openings: number };

const WELL: State = { is: "closed", failures: 0, openings: 0 };

export class Breaker {
  // Bounded by the runs of this process.
  readonly #waiting = new Set<Waiting>();
  #state: State = WELL;

  get isOpen(): boolean {
    return this.#state.is !== "closed";
  }

  /** Until a call may try again; 0 when it may. */
  get waitMs(): number {
    return this.#state.is === "open" ? Math.max(0, this.#state.until - performance.now()) : 0;
  }

  /** Resolves when the call may be made. Rejects with the error of the trial, or with the signal's reason. */
  async enter(signal: AbortSignal): Promise<Passage> {
    // Checked again after each wait, because another call may have become the trial.
    while (!this.#letsPass()) await this.#wait(signal);
    const passage = this.#passage();
    const state = this.#state;
    if (state.is === "half-open") this.#become({ ...state, trial: passage });
    return passage;
  }

  stop(): void {
    if (this.#state.is === "open") clearTimeout(this.#state.timer);
  }

  #letsPass(): boolean {
    const state = this.#state;
    return state.is === "closed" || (state.is === "half-open" && !state.trial);
  }

  async #wait(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting: Waiting = { pass: resolve, fail: reject };
    const onAbort = () => {
      // Removed in the same tick, so that a canceled call is not let through as the trial.
      this.#waiting.delete(waiting);
      reject(signal.reason);
    };
    signal.addEventListener("abort", onAbort);
    this.#waiting.add(waiting);
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  #passage(): Passage {
    const passage: Passage = {
      heard: () => this.#heard(passage),
      succeeded: () => this.#state.is === "closed" && this.#become(WELL),
      failed: (error, retryAfterMs = 0) => this.#failed(passage, { error, retryAfterMs }),
      leave: () => this.#left(passage),
    };
    return passage;
  }

  #isTrial(passage: Passage): boolean {
    return this.#state.is === "half-open" && this.#state.trial === passage;
  }

  #heard(passage: Passage): void {
    if (!this.#isTrial(passage)) return;
    // The next failure opens it again: a beginning is not yet a whole answer.
    this.#become({ is: "closed", failures: FAILURES_IN_A_ROW, openings: this.#state.openings });
    for (const { pass } of this.#takeAll()) pass();
  }

  #failed(passage: Passage, { error, retryAfterMs }: { error: unknown; retryAfterMs: number }): void {
    const state = this.#state;
    if (this.#isTrial(passage)) {
      this.#open(retryAfterMs);
      for (const { fail } of this.#takeAll()) fail(error);
    } else if (state.is === "closed") {
      const failures = state.failures + 1;
      if (failures >= FAILURES_IN_A_ROW) this.#open(retryAfterMs);
      else this.#become({ ...state, failures });
    }
  }

  #left(passage: Passage): void {
    if (!this.#isTrial(passage)) return;
    this.#become({ is: "half-open", trial: undefined, openings: this.#state.openings });
    this.#letOneTry();
  }

  #open(retryAfterMs: number): void {
    const openings = this.#state.openings + 1;
    const ms = Math.max(retryAfterMs, backoffMs(openings, OPEN));
    const timer = setTimeout(() => {
      this.#become({ is: "half-open", trial: undefined, openings });
      this.#letOneTry();
    }, ms);
    this.#become({ is: "open", until: performance.now() + ms, timer, openings });
  }

  /** The only place that changes the state. */
  #become(next: State): void {
    this.stop();
    this.#state = next;
  }

  #letOneTry(): void {
    const [first] = this.#waiting;
    if (!first) return;
    this.#waiting.delete(first);
    first.pass();
  }

  #takeAll(): Waiting[] {
    const all = [...this.#waiting];
    this.#waiting.clear();
    return all;
  }
}
