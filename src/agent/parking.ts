/**
 * Whether a run is parked: all that it does just now is wait for runs that it delegated. Then it holds no slot
 * of its agent process, or parents could take all slots and wait for children that never get one. One per run.
 */
export class Parking {
  readonly #onParked: () => void;
  // Both bounded by the tool calls of one answer.
  #calls = 0;
  #waits = 0;

  /** @param onParked it has just given its slot back */
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

  /** Within a call: what it waits for happens elsewhere. */
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
