/** Limits log lines that would repeat many times a second, while a trouble lasts, to one a minute. */

const INTERVAL_MS = 60_000;

export class OncePerMinute {
  // Bounded by the number of error codes, which callers use as names.
  readonly #saidAt = new Map<string, number>();

  /** Whether a line may be written now. A line without a name always may. */
  lets(name: string | undefined): boolean {
    if (name === undefined) return true;
    const now = performance.now();
    const said = this.#saidAt.get(name);
    if (said !== undefined && now - said < INTERVAL_MS) return false;
    this.#saidAt.set(name, now);
    return true;
  }
}
