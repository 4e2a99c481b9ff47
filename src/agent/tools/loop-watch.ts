/**
 * Tells which inline tools ran while the agent's event loop was blocked, because then all runs of the process stood
 * still. A timer runs only while inline calls are under way.
 */
import { performance } from "node:perf_hooks";

const LOOK_MS = 100;
const BLOCKED_MS = 200;

export class LoopWatch {
  // Bounded by the calls of the runs under way.
  readonly #calls = new Set<(blockedMs: number) => void>();
  #timer: NodeJS.Timeout | undefined;
  #lookedAt = 0;

  /**
   * @param onBlocked called each time the loop was blocked. @returns a function to call when the tool call has ended
   */
  begin(onBlocked: (blockedMs: number) => void): () => void {
    // A new function for each call, because two calls may pass the same one.
    const call = (blockedMs: number) => onBlocked(blockedMs);
    if (this.#calls.size === 0) {
      this.#lookedAt = performance.now();
      this.#timer = setInterval(() => this.#look(), LOOK_MS);
    }
    this.#calls.add(call);
    return () => {
      // A call that blocked the loop may end before the timer fires.
      this.#look();
      this.#calls.delete(call);
      if (this.#calls.size === 0) clearInterval(this.#timer);
    };
  }

  #look(): void {
    const now = performance.now();
    const lateMs = now - this.#lookedAt - LOOK_MS;
    this.#lookedAt = now;
    if (lateMs < BLOCKED_MS) return;
    for (const tell of this.#calls) tell(Math.round(lateMs));
  }
}
