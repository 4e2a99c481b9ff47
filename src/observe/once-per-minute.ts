/** Limits log lines that would repeat many times a second, while some trouble lasts, to one line a minute. */

const INTERVAL_MS = 60_000;
/** At this bound all names are forgotten; each may then be logged once more. */
const MAX_NAMES = 1_000;

export class OncePerMinute {
  // Bounded by MAX_NAMES.
  readonly #saidAt = new Map<string, number>();

  /** True when a line may be written now. A line without a name always may. */
  lets(name: string | undefined): boolean {
    if (name === undefined) return true;
    const now = performance.now();
    const said = this.#saidAt.get(name);
    if (said !== undefined && now - said < INTERVAL_MS) return false;
    if (this.#saidAt.size >= MAX_NAMES) this.#saidAt.clear();
    this.#saidAt.set(name, now);
    return true;
  }
}
