/**
 * The circuit breaker between this agent process and one model. A model that fails call after call is left
 * alone for a while; then one call tries for all, and what it finds holds for all that wait: they go on, or it
 * counts as a failed attempt of each. So a run still ends after its usual number of attempts, and a model
 * in trouble sees one request instead of hundreds. Owned by `breakers.ts`, asked by `model.ts`.
 */
import { backoffMs } from "../core/backoff.ts";

/** So many failures, over all runs, without a whole answer between them. */
const FAILURES_IN_A_ROW = 10;
// Short, because each of a run's attempts may have to wait for it: a client is to hear of a model that is down soon.
const OPEN = { firstMs: 500, maxMs: 5_000 };

/** One call that was let through. Say what comes of it, and `leave` at its end, whatever that is. */
export interface Passage {
  /** The model says something: whoever waits may call it too. */
  heard(): void;
  succeeded(): void;
  /** @param error what those who wait for its outcome get, to count as their own failure */
  failed(error: unknown, retryAfterMs?: number): void;
  leave(): void;
}

interface Waiting {
  readonly pass: () => void;
  readonly fail: (error: unknown) => void;
}

export class Breaker {
  // Bounded by the runs of this process.
  readonly #waiting = new Set<Waiting>();
  /** closed: all pass; open: nobody; half-open: one at a time, until one is heard of. */
  #state: "closed" | "open" | "half-open" = "closed";
  #trial: Passage | undefined;
  #failures = 0;
  #openings = 0;
  #openUntil = 0;
  #timer: NodeJS.Timeout | undefined;

  get isOpen(): boolean {
    return this.#state !== "closed";
  }

  /** Until one call may try again; 0 when it may. */
  get waitMs(): number {
    return this.#state === "open" ? Math.max(0, this.#openUntil - performance.now()) : 0;
  }

  /** Resolves when the call may be made. Rejects with the error of the call that tried for it, or the signal's reason. */
  async enter(signal: AbortSignal): Promise<Passage> {
    // Again after each wait: another call may have been faster.
    while (this.#state === "open" || this.#trial) await this.#wait(signal);
    return this.#passage();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  async #wait(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting: Waiting = { pass: resolve, fail: reject };
    const onAbort = () => {
      // At once: who is gone must not be the one that is let through.
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
      heard: () => this.#trial === passage && this.#close(),
      succeeded: () => this.#succeeded(),
      failed: (error, retryAfterMs = 0) => this.#failed(passage, { error, retryAfterMs }),
      leave: () => this.#left(passage),
    };
    if (this.#state === "half-open") this.#trial = passage;
    return passage;
  }

  /** One that was let through before it opened closes nothing: a server that said Retry-After means new calls. */
  #succeeded(): void {
    this.#failures = 0;
    this.#openings = 0;
  }

  #failed(passage: Passage, { error, retryAfterMs }: { error: unknown; retryAfterMs: number }): void {
    this.#failures += 1;
    const isVerdict = this.#trial === passage;
    // While it is open, calls that were let through before may still fail: that is no news.
    if (isVerdict || (this.#state === "closed" && this.#failures >= FAILURES_IN_A_ROW)) this.#open(retryAfterMs);
    if (isVerdict) for (const { fail } of this.#takeAll()) fail(error);
  }

  /** A trial that came to no verdict (its run was canceled): the next one tries. */
  #left(passage: Passage): void {
    if (this.#trial !== passage) return;
    this.#trial = undefined;
    this.#letOneTry();
  }

  #open(retryAfterMs: number): void {
    this.#openings += 1;
    const ms = Math.max(retryAfterMs, backoffMs(this.#openings, OPEN));
    this.#state = "open";
    this.#trial = undefined;
    this.#openUntil = performance.now() + ms;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#state = "half-open";
      this.#letOneTry();
    }, ms);
  }

  #letOneTry(): void {
    const [first] = this.#waiting;
    if (!first) return;
    this.#waiting.delete(first);
    first.pass();
  }

  #close(): void {
    this.#state = "closed";
    this.#trial = undefined;
    for (const { pass } of this.#takeAll()) pass();
  }

  #takeAll(): Waiting[] {
    const all = [...this.#waiting];
    this.#waiting.clear();
    return all;
  }
}
