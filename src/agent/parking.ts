/**
 * Whether a run is parked: it only waits, for example for runs that it delegated. A parked run holds no slot of its
 * agent process; otherwise parents could take all slots and wait for children that never get one. One per run.
 */
export class Parking {
  /**
   * Whether the run is stored as parked, as lists and `GET /api/runs/{id}` show it. The run's journal says so. A wait may
   * give its slot back before it is long enough to be told.
   */
  isShown = false;
  readonly #onParked: () => void;
  // Both counts are bounded by the tool calls of one answer.
  #calls = 0;
  #waits = 0;

  /** @param onParked called when the run has just given its slot back */
  constructor(onParked: () => void) {
    this.#onParked = onParked;
  }

  get isParked(): boolean {
    return this.#waits > 0 && this.#waits === this.#calls;
  }

  /** Counts a tool call as work of this process until it ends. */
  async call<T>(work: () => Promise<T>): Promise<T> {
    this.#calls += 1;
    try {
      return await work();
    } finally {
      this.#calls -= 1;
      if (this.isParked) this.#onParked();
    }
  }

  /** Called within a call: the work that it waits for happens elsewhere. */
  async wait<T>(elsewhere: Promise<T>): Promise<T> {
    this.#waits += 1;
    if (this.isParked) this.#onParked();
    try {
      return await elsewhere;
    } finally {
      this.#waits -= 1;
    }
  }
}
