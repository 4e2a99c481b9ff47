/**
 * After a few wrong keys from an address, each further answer to a wrong key waits, longer and longer. A request with a
 * good key never waits, even from the same address. Owned by `guard.ts`.
 */
const FREE_TRIES = 5;
const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 5_000;
/** After this long without a wrong key, an address begins anew. */
const FORGET_MS = 60_000;
/** At the bound the oldest address is forgotten. */
const MAX_ADDRESSES = 10_000;
/** How many answers may wait; further connections are cut off without an answer. */
const MAX_WAITING = 500;

/** What takes the answer: a response, or the socket of an upgrade. */
export interface Connection {
  readonly destroyed: boolean;
  once(event: "close", listener: () => void): unknown;
  destroy(): unknown;
}

interface Tries {
  readonly count: number;
  readonly at: number;
}

export class WrongKeys {
  readonly #tries = new Map<string, Tries>();
  readonly #clock: () => number;
  #waiting = 0;

  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
  }

  /** Counts one more wrong key. @returns how long its answer waits */
  delayMs(address: string): number {
    const now = this.#clock();
    const before = this.#tries.get(address);
    const count = before && now - before.at < FORGET_MS ? before.count + 1 : 1;
    this.#tries.delete(address);
    if (this.#tries.size >= MAX_ADDRESSES) this.#tries.delete(this.#tries.keys().next().value ?? "");
    this.#tries.set(address, { count, at: now });
    return count <= FREE_TRIES ? 0 : Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(10, count - FREE_TRIES - 1));
  }

  /** Answers after the delay, unless the client has left. */
  answerLater(address: string, connection: Connection, answer: () => void): void {
    const ms = this.delayMs(address);
    // The client has left while its token was checked: no `close` would come to count it off.
    if (connection.destroyed) return;
    if (ms === 0) return answer();
    if (this.#waiting >= MAX_WAITING) {
      connection.destroy();
      return;
    }
    this.#waiting += 1;
    const timer = setTimeout(answer, ms);
    connection.once("close", () => {
      clearTimeout(timer);
      this.#waiting -= 1;
    });
  }
}
