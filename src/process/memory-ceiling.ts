/**
 * A process that takes more memory than its kind may is replaced as a reload does it: the new one serves before the old one
 * drains. So a leak, in a tool or in a library, costs nobody a request. One process of a kind at a time. Owned by the
 * supervisor, which ticks it once a second.
 */
import type { Slot } from "./slot.ts";

/** A process must be above the ceiling for this long, because a short burst is no leak. */
const ABOVE_SECONDS = 10;
/**
 * A process that is above the ceiling right after its start is not replaced: its replacement would need as
 * much, so the ceiling is too low.
 */
const MIN_UPTIME_S = 60;

export interface MemoryCeilingOptions {
  readonly bytes: number;
  /** How long the old one may take to finish. */
  readonly leaveMs: number;
  readonly onHeavy: (heavy: { readonly id: number; readonly rssBytes: number }) => void;
}

type Watched = Pick<Slot, "id" | "info" | "prepare">;

export class MemoryCeiling {
  readonly #options: MemoryCeilingOptions;
  /** For how many seconds in a row a process has been above it, by its place. Bounded by the places of the kind. */
  readonly #above = new Map<number, number>();
  #isReplacing = false;

  constructor(options: MemoryCeilingOptions) {
    this.#options = options;
  }

  tick(slots: readonly Watched[]): void {
    for (const slot of slots) {
      const { rss_bytes: rssBytes, state } = slot.info();
      const isAbove = state === "ready" && rssBytes > this.#options.bytes;
      this.#above.set(slot.id, isAbove ? (this.#above.get(slot.id) ?? 0) + 1 : 0);
    }
    if (this.#isReplacing) return;
    const heavy = slots.find((slot) => this.#isDue(slot));
    if (heavy) void this.#replace(heavy);
  }

  #isDue(slot: Watched): boolean {
    return (this.#above.get(slot.id) ?? 0) >= ABOVE_SECONDS && slot.info().uptime_s >= MIN_UPTIME_S;
  }

  async #replace(slot: Watched): Promise<void> {
    this.#isReplacing = true;
    this.#above.delete(slot.id);
    this.#options.onHeavy({ id: slot.id, rssBytes: slot.info().rss_bytes });
    try {
      const next = await slot.prepare();
      void next.commit(this.#options.leaveMs);
    } catch {
      // The new process did not become ready. The old one goes on, and later ticks check it again.
    } finally {
      this.#isReplacing = false;
    }
  }
}
