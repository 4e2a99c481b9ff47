/**
 * Refuses runs with a read while the queue is full. In an overload most requests are refused, and a refusal that needed the
 * write lock would wait behind all others. Who passes is counted again in the transaction that stores the run, by the same rules.
 * [10,000 waiting runs, 1,000 requests a second: refused after 15 s at p50 with the write lock, after 1 ms without.] Owned by
 * each driver's engine.
 */
import { hasCode } from "../core/errors.ts";
import type { NewRun } from "../core/run.ts";
import { assertAdmitted, assertOwnShare } from "./rules/enqueue.ts";

/** For this long after a refusal requests are looked at before they are stored. Otherwise that look would cost too much. */
const WATCHFUL_MS = 1_000;
/** A count of a long queue takes a millisecond. After an end, a full queue refuses for this long at most. */
const COUNT_KEPT_MS = 50;

type Eventually<T> = T | Promise<T>;

export interface AdmissionReads {
  counts(): Eventually<{ readonly queued: number }>;
  /** How many runs of the principal wait. */
  ownQueued(principal: string): Eventually<number>;
  /** Whether the request's id or key is that of a stored run. */
  isRepeat(request: NewRun): Eventually<boolean>;
}

export class Admission {
  readonly #reads: AdmissionReads;
  readonly #limit: number;
  #refusedAt = -Infinity;
  #counted: { readonly queued: Promise<number>; readonly at: number } | undefined;

  constructor(reads: AdmissionReads, limit: number) {
    this.#reads = reads;
    this.#limit = limit;
  }

  /**
   * Delegated runs and repeats always pass. While nobody is refused, `store` is called at once, in the same tick.
   * @throws AppError OVERLOADED, TOO_MANY_REQUESTS, and what `store` throws
   */
  admit<T>(request: NewRun, store: () => Promise<T>): Promise<T> {
    const isWatchful = performance.now() - this.#refusedAt < WATCHFUL_MS && request.parentRunId === null;
    const stored = isWatchful ? this.#assertRoom(request).then(store) : store();
    return stored.catch((error: unknown) => {
      if (hasCode(error, "OVERLOADED") || hasCode(error, "TOO_MANY_REQUESTS")) this.#refusedAt = performance.now();
      throw error;
    });
  }

  async #assertRoom(request: NewRun): Promise<void> {
    const { principal, queuedAtMost = Infinity } = request;
    const queued = await this.#queued();
    const own = queuedAtMost <= queued ? await this.#reads.ownQueued(principal) : 0;
    if (queued < this.#limit && own < queuedAtMost) return;
    if (await this.#isRepeat(request)) return;
    assertOwnShare(request, () => own);
    assertAdmitted(queued, this.#limit);
  }

  #queued(): Promise<number> {
    const now = performance.now();
    if (!this.#counted || now - this.#counted.at > COUNT_KEPT_MS) this.#counted = { queued: this.#count(), at: now };
    return this.#counted.queued;
  }

  async #count(): Promise<number> {
    return (await this.#reads.counts()).queued;
  }

  async #isRepeat(request: NewRun): Promise<boolean> {
    return (request.runIdChosen || request.idempotencyKey !== null) && (await this.#reads.isRepeat(request));
  }
}
