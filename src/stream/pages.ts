/**
 * Pages of history that were read a moment ago: many who catch up with the same feed at once (after a restart,
 * say) read it once and share its frames. Owned by `Feeds`, one for the whole worker.
 */
import type { Reading } from "./feed.ts";

// 16 pages of about 64 KB: those who began together stay within a few pages of each other.
const KEPT_PAGES = 16;
/** What was deleted meanwhile is not handed out for longer than that. */
const FRESH_MS = 1_000;

interface Page extends Reading {
  readonly readAt: number;
}

export class Pages {
  // Bounded by KEPT_PAGES: the oldest one goes.
  readonly #pages = new Map<string, Page>();

  /**
   * The page of `feed` behind position `after`, as it was at most FRESH_MS ago. Never an empty one: whether
   * there is something new only the source can say. Rejects as `read` does.
   */
  async get(feed: string, after: number, read: (after: number) => Promise<Reading>): Promise<Reading> {
    const key = `${feed} ${after}`;
    const known = this.#pages.get(key);
    if (known && performance.now() - known.readAt < FRESH_MS) return known;
    const reading = await read(after);
    if (reading.frames.length > 0) this.#keep(key, reading);
    return reading;
  }

  #keep(key: string, reading: Reading): void {
    this.#pages.delete(key);
    this.#pages.set(key, { ...reading, readAt: performance.now() });
    for (const oldest of this.#pages.keys()) {
      if (this.#pages.size <= KEPT_PAGES) return;
      this.#pages.delete(oldest);
    }
  }
}
