/**
 * Pages of history that were read a moment ago: many viewers that catch up with the same feed at once (after
 * a restart, for example) share one read and its frames. Owned by `Feeds`, one for the whole worker.
 */
import type { Reading } from "./feed.ts";

// Viewers that began together stay within a few pages of each other.
const KEPT_PAGES = 16;
/**
 * Bound of all pages together: 16 pages of the usual 64 KB. In memory they take some three times as much,
 * because each frame also keeps its bytes for both transports. A page that is larger than the bound, because
 * of one very large event, is not kept.
 */
const KEPT_CHARACTERS = 1024 * 1024;
/** A page of a deleted run is handed out for at most this long. */
const FRESH_MS = 1_000;

interface Page extends Reading {
  readonly readAt: number;
  readonly characters: number;
}

export class Pages {
  // The oldest first. Bounded by KEPT_PAGES and KEPT_CHARACTERS: the oldest ones go.
  readonly #pages = new Map<string, Page>();
  #keptCharacters = 0;
  // Runs only while pages are kept. The last page expires two seconds after the last viewer has left; then
  // the timer stops.
  #sweeper: NodeJS.Timeout | undefined;
  // Reads under way: viewers at the same position ask at the same time, before the page is kept. Bounded by
  // the viewers of this worker.
  readonly #underWay = new Map<string, Promise<Reading>>();

  get keptCharacters(): number {
    return this.#keptCharacters;
  }

  /**
   * The page of `feed` after position `after`, at most FRESH_MS old. A kept page is never empty, because only
   * the source can say whether there is something new. Rejects as `read` does.
   */
  async get(feed: string, after: number, read: (after: number) => Promise<Reading>): Promise<Reading> {
    const key = `${feed} ${after}`;
    const known = this.#pages.get(key);
    if (known && isFresh(known)) return known;
    const underWay = this.#underWay.get(key);
    if (!underWay) return this.#read(key, read(after));
    const shared = await underWay;
    // An empty result may have been read before the event that this caller was notified of: read again.
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
    const characters = reading.frames.reduce((sum, { json }) => sum + json.length, 0);
    if (characters > KEPT_CHARACTERS) return;
    this.#drop(key);
    this.#pages.set(key, { ...reading, characters, readAt: performance.now() });
    this.#keptCharacters += characters;
    this.#sweeper ??= setInterval(() => this.#sweep(), FRESH_MS);
    for (const oldest of this.#pages.keys()) {
      if (this.#pages.size <= KEPT_PAGES && this.#keptCharacters <= KEPT_CHARACTERS) return;
      this.#drop(oldest);
    }
  }

  #sweep(): void {
    for (const [key, page] of this.#pages) if (!isFresh(page)) this.#drop(key);
    if (this.#pages.size > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }

  #drop(key: string): void {
    this.#keptCharacters -= this.#pages.get(key)?.characters ?? 0;
    this.#pages.delete(key);
  }
}

function isFresh({ readAt }: Page): boolean {
  return performance.now() - readAt < FRESH_MS;
}
