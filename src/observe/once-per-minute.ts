/** Lines of the log that would come many times a second while something lasts, and come once a minute. */

const INTERVAL_MS = 60_000;

export class OncePerMinute {
  // Bounded by the names that callers have: codes of errors.
  readonly #saidAt = new Map<string, number>();

  /** Whether this may be said now. What has no name always may. */
  lets(name: string | undefined): boolean {
    if (name === undefined) return true;
    const now = performance.now();
    const said = this.#saidAt.get(name);
    if (said !== undefined && now - said < INTERVAL_MS) return false;
    this.#saidAt.set(name, now);
    return true;
  }
}
