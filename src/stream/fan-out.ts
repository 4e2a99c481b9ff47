/**
 * Tells all viewers of a feed that there is more, a few per turn of the event loop: hundreds of sockets written
 * in one go would hold up every other request of this worker. Owned by a feed.
 */
const TOLD_PER_TURN = 16;

export class FanOut {
  // Bounded by the viewers of this feed on this worker.
  readonly #listeners = new Set<() => void>();
  #waiting: (() => void)[] = [];
  // There was more news before all had heard the last: tell all once more, when they have.
  #again = false;

  get size(): number {
    return this.#listeners.size;
  }

  add(listener: () => void): void {
    this.#listeners.add(listener);
  }

  delete(listener: () => void): boolean {
    return this.#listeners.delete(listener);
  }

  tell(): void {
    this.#again = true;
    if (this.#waiting.length === 0) this.#tellSome();
  }

  #tellSome(): void {
    if (this.#waiting.length === 0 && this.#again) {
      this.#again = false;
      this.#waiting = [...this.#listeners];
    }
    // One that has left meanwhile must not hear of it.
    for (const listener of this.#waiting.splice(0, TOLD_PER_TURN)) if (this.#listeners.has(listener)) listener();
    if (this.#waiting.length > 0 || this.#again) setImmediate(() => this.#tellSome());
  }
}
