/**
 * A client that guesses keys waits for each answer: after a few wrong ones from its address, longer and longer. A client with a
 * good key never waits, also behind the same address. Owned by `guard.ts`.
 */
const FREE_TRIES = 5;
const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 5_000;
/** An address that was quiet for this long begins anew. */
const FORGET_MS = 60_000;
/** At the bound the oldest address is forgotten. */
const MAX_ADDRESSES = 10_000;
/** Answers that wait; what comes beyond is cut off without one. */
const MAX_WAITING = 500;

/** What the answer goes to: a response, or the socket of an upgrade. */
export interface Connection {
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

  /** One more wrong key. @returns how long its answer waits */
  delayMs(address: string): number {
    const now = this.#clock();
    const before = this.#tries.get(address);
    const count = before && now - before.at < FORGET_MS ? before.count + 1 : 1;
    this.#tries.delete(address);
    if (this.#tries.size >= MAX_ADDRESSES) this.#tries.delete(this.#tries.keys().next().value ?? "");
    this.#tries.set(address, { count, at: now });
    return count <= FREE_TRIES ? 0 : Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(10, count - FREE_TRIES - 1));
  }

  /** Answers when its time has come, unless the client left. */
  answerLater(address: string, connection: Connection, answer: () => void): void {
    const ms = this.delayMs(address);
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
