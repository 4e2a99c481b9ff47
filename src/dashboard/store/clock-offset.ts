/** How far the server's clock is ahead of this browser's, computed from the server's times as they arrive. Pure. */

/**
 * The message with the shortest delay among this many decides the offset. With more of them, the page would notice a
 * changed clock too late.
 */
const SAMPLES = 5;

export class ClockOffset {
  #samples: number[] = [];

  /** @param at the server's time @param now our time when it arrived @returns ms; below zero, the server is behind */
  note(at: number, now: number): number {
    // An event that was delayed, or was stored, looks as if it came from a clock that is behind.
    this.#samples = [...this.#samples.slice(1 - SAMPLES), at - now];
    return Math.max(...this.#samples);
  }
}
