/**
 * Whether a run is parked: it only waits, for runs that it delegated, for its model or for a budget. A parked run holds no
 * slot of its agent process; otherwise parents could take all slots and wait for children that never get one, and runs of a
 * model that is limited would keep those of other models out. One per run.
 */
export class Parking {
  /**
   * Whether the run is stored as parked, as lists and `GET /api/runs/{id}` show it. The run's journal says so. A wait may
   * give its slot back before it is long enough to be told.
   */
  isShown = false;
  readonly #onChange: () => void;
  // Both counts are bounded by the tool calls of one answer.
  #calls = 0;
  #waits = 0;
  #pause: "waits" | "wants a slot" | "has a slot" | undefined;
  #slot: PromiseWithResolvers<void> | undefined;

  /** @param onChange called when the run has just given its slot back, and when it wants one again */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  get isParked(): boolean {
    if (this.#pause !== undefined) return this.#pause !== "has a slot";
    return this.#waits > 0 && this.#waits === this.#calls;
  }

  get isPaused(): boolean {
    return this.#pause !== undefined;
  }

  /** Its pause is over, and it goes on with `giveSlot`. */
  get wantsSlot(): boolean {
    return this.#pause === "wants a slot";
  }

  giveSlot(): void {
    this.#pause = "has a slot";
    this.#slot?.resolve();
  }

  /** Counts a tool call as work of this process until it ends. */
  async call<T>(work: () => Promise<T>): Promise<T> {
    this.#calls += 1;
    try {
      return await work();
    } finally {
      this.#calls -= 1;
      if (this.isParked) this.#onChange();
    }
  }

  /**
   * Called within a call: the work that it waits for happens elsewhere. The run goes on at once, because the run that did the
   * work has just left a slot; if that was one of another process, this one has one more than its slots for a while.
   */
  async wait<T>(elsewhere: Promise<T>): Promise<T> {
    this.#waits += 1;
    if (this.isParked) this.#onChange();
    try {
      return await elsewhere;
    } finally {
      this.#waits -= 1;
    }
  }

  /** The run itself waits, between its calls, and goes on when it has a slot again. Rejects with the signal's reason. */
  async pause<T>(elsewhere: Promise<T>, signal: AbortSignal): Promise<T> {
    this.#pause = "waits";
    this.#onChange();
    try {
      const result = await elsewhere;
      await this.#takeSlot(signal);
      return result;
    } finally {
      this.#pause = undefined;
    }
  }

  async #takeSlot(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const slot = Promise.withResolvers<void>();
    const onAbort = () => slot.reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    this.#slot = slot;
    this.#pause = "wants a slot";
    this.#onChange();
    try {
      await slot.promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }
}
