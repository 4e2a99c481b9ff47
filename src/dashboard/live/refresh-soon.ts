/** Gathers reasons to load for a moment, and then loads at most once a second. */

const REFRESH_EVERY_MS = 1_000;
/** A short wait, so that the first of many changes does not cause a request of its own. */
const GATHER_MS = 150;

export class RefreshSoon {
  readonly #work: () => void;
  #requestedAt = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(work: () => void) {
    this.#work = work;
  }

  request(): void {
    const dueMs = Math.max(GATHER_MS, this.#requestedAt + REFRESH_EVERY_MS - performance.now());
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#work();
    }, dueMs);
  }

  /** A request was sent, for whatever reason: the next one is due a second later. */
  noteRequest(): void {
    this.#requestedAt = performance.now();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
