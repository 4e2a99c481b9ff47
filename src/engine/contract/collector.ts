/** Gathers what a follower is handed, so that a test can wait for it instead of sleeping. */

// An item that is not there after this time will never come: fail with what was seen, not with a test timeout.
const GIVE_UP_MS = 3_000;

interface Waiting {
  readonly enough: (items: readonly unknown[]) => boolean;
  readonly resolve: () => void;
}

export class Collector<T> {
  readonly items: T[] = [];
  #waiting: Waiting[] = [];

  readonly push = (batch: readonly T[]): void => {
    this.items.push(...batch);
    this.#waiting = this.#waiting.filter(({ enough, resolve }) => {
      const met = enough(this.items);
      if (met) resolve();
      return !met;
    });
  };

  /** Resolves once `enough` holds for the items that have come so far. */
  async until(enough: (items: readonly T[]) => boolean): Promise<readonly T[]> {
    if (enough(this.items)) return this.items;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ enough: enough as Waiting["enough"], resolve });
    const timer = setTimeout(
      () => reject(new Error(`The follower fell silent after ${JSON.stringify(this.items).slice(0, 1_000)}`)),
      GIVE_UP_MS,
    );
    try {
      await promise;
      return this.items;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Follows one run the way a stream does: from the journal first, then live, each seq once. */
export class Viewer<E extends { readonly seq: number }> {
  readonly #seen = new Collector<number>();
  #early: E[] | undefined = [];
  #last = 0;

  readonly onEvents = (events: readonly E[]): void => {
    if (this.#early) this.#early.push(...events);
    else this.#take(events);
  };

  /** Takes what `events()` returned. Called once, after `follow`. */
  caughtUp(events: readonly E[]): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    this.#take(events);
    this.#take(early);
  }

  /** The numbers in the order in which they were shown; a hole or a repeat stays visible in them. */
  async until(last: number): Promise<readonly number[]> {
    return this.#seen.until(() => this.#last >= last);
  }

  #take(events: readonly E[]): void {
    for (const { seq } of events) {
      if (seq <= this.#last) continue;
      this.#last = seq;
      this.#seen.push([seq]);
    }
  }
}
