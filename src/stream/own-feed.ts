/**
 * The frames of one principal, out of a feed that all share. Made for one viewer, because it remembers up to
 * which position it found nothing for that viewer: a viewer's cursor moves only with what it writes, and most
 * of the feed is not for it.
 */
import type { Feed, LiveFeed, Reading } from "./feed.ts";
import type { Frame } from "./frame.ts";

export class OwnFeed implements Feed {
  /** Positions of other principals lie between its own. */
  readonly dense = false;
  readonly #all: LiveFeed;
  readonly #owner: string;
  readonly #read: (after: number) => Promise<Reading>;
  /** Between the viewer's cursor and this position there was no frame of the owner. */
  #vain = 0;

  /** @param read the owner's frames above a position, from the source */
  constructor(all: LiveFeed, owner: string, read: (after: number) => Promise<Reading>) {
    this.#all = all;
    this.#owner = owner;
    this.#read = read;
  }

  behind(after: number): number {
    return this.#all.behind(Math.max(after, this.#vain));
  }

  recent(after: number): readonly Frame[] | undefined {
    const frames = this.#all.recent(Math.max(after, this.#vain));
    const own = frames?.filter(({ owner }) => owner === this.#owner);
    if (own?.length === 0) this.#vain = frames?.at(-1)?.seq ?? this.#vain;
    return own;
  }

  async read(after: number): Promise<Reading> {
    // Perhaps nobody else in this worker has the shared feed follow its source.
    await this.#all.followed();
    // The source contains every frame that came before it is read.
    const { newest } = this.#all;
    const reading = await this.#read(after);
    if (reading.frames.length === 0) this.#vain = Math.max(this.#vain, newest);
    return reading;
  }

  listen(onFrames: () => void): void {
    this.#all.listen(onFrames);
  }

  unlisten(onFrames: () => void): void {
    this.#all.unlisten(onFrames);
  }
}
