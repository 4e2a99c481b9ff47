/**
 * Lets a bounded number of callers use the connections of a process at once. The others wait in line: the work of
 * owners and of upkeep first, because a run that is not extended is lost, then requests. A request that waits too long
 * is refused, so that its client hears 503 and may come again. Called by `database.ts`.
 */
import { AppError } from "../../core/errors.ts";

/** "work" is what agents and upkeep do by themselves, "request" is what a client waits for. */
export type Kind = "work" | "request";

/**
 * Work has nobody to tell that it was refused, and begins again when it is. So its limit only ends the wait for
 * connections that never come back.
 */
const WAIT_MS: Readonly<Record<Kind, number>> = { work: 60_000, request: 5_000 };
/** Bound of the line. Beyond it callers are refused at once. */
const MAX_WAITING = 20_000;

export class Turnstile {
  #free: number;
  readonly #waiting: Readonly<Record<Kind, Set<() => void>>> = { work: new Set(), request: new Set() };

  constructor(places: number) {
    this.#free = places;
  }

  /** Calls `use` when a place is free. @throws AppError STORAGE_UNAVAILABLE when none becomes free in time */
  async pass<T>(kind: Kind, use: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await this.#wait(kind);
    try {
      return await use();
    } finally {
      this.#leave();
    }
  }

  #wait(kind: Kind): Promise<void> {
    const line = this.#waiting[kind];
    if (line.size >= MAX_WAITING) return Promise.reject(busy());
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const tooLate = setTimeout(() => {
      line.delete(enter);
      reject(busy());
    }, WAIT_MS[kind]);
    const enter = () => {
      clearTimeout(tooLate);
      resolve();
    };
    line.add(enter);
    return promise;
  }

  /** The place goes to the next caller in line, if there is one. */
  #leave(): void {
    for (const line of [this.#waiting.work, this.#waiting.request]) {
      for (const enter of line) {
        line.delete(enter);
        return enter();
      }
    }
    this.#free += 1;
  }
}

function busy(): AppError {
  const detail = "All connections to the database are in use; send fewer requests at once, or raise DATABASE_POOL.";
  return new AppError("STORAGE_UNAVAILABLE", detail, { retryAfterS: 1 });
}
