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
  // Those who are in step ask all at once, when nothing is kept yet. Bounded by the viewers of this worker.
  readonly #underWay = new Map<string, Promise<Reading>>();

  /**
   * The page of `feed` behind position `after`, as it was at most FRESH_MS ago. Never an empty one: whether
   * there is something new only the source can say. Rejects as `read` does.
   */
  async get(feed: string, after: number, read: (after: number) => Promise<Reading>): Promise<Reading> {
    const key = `${feed} ${after}`;
    const known = this.#pages.get(key);
    if (known && performance.now() - known.readAt < FRESH_MS) return known;
    const underWay = this.#underWay.get(key);
    if (!underWay) return this.#read(key, read(after));
    const shared = await underWay;
    // That there was nothing may be older than the news that brought this caller here.
    return shared.frames.length > 0 ? shared : read(after);
  }

  async #read(key: string, underWay: Promise<Reading>): Promise<Reading> {
    this.#underWay.set(key, underWay);
    try {
      const reading = await underWay;
      if (reading.frames.length > 0) this.#keep(key, reading);
      return reading;
    } finally {
      this.#underWay.delete(key);
    }
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
