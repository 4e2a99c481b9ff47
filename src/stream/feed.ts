/**
 * What viewers read from: one ordered source (a run's journal, the activities) followed once per worker,
 * however many watch, with its newest frames at hand. What is older is read from the source.
 */
import type { Follower } from "../engine/engine.ts";
import { FanOut } from "./fan-out.ts";
import type { Frame } from "./frame.ts";

/** What a viewer needs to know of a feed. */
export interface Feed {
  /** Position of the newest frame that came by; 0 before the first. */
  readonly newest: number;
  /** True when positions count 1, 2, 3 …: then a hole means that history is gone. */
  readonly dense: boolean;
  /** The frames above `after` that are at hand; undefined when some of them are not, so `read`. */
  recent(after: number): readonly Frame[] | undefined;
  /** Frames above `after` in order. Rejects when the source cannot be read, or is gone. */
  read(after: number): Promise<Reading>;
  /** Calls `onFrames` whenever there is more that `read` did not bring. */
  listen(onFrames: () => void): void;
  unlisten(onFrames: () => void): void;
}

export interface Reading {
  readonly frames: readonly Frame[];
  /** There are no frames above `after`, and there will be none. */
  readonly over: boolean;
}

export interface Source {
  readonly dense: boolean;
  /**
   * How many frames are kept in memory if there are several viewers. A viewer that is further behind reads the
   * source.
   */
  readonly keep: number;
  /** @param onGone there is nothing to follow any more: `read` will say why */
  follow(onFrames: (frames: readonly Frame[]) => void, onGone: () => void): Promise<Follower>;
  read(after: number): Promise<Reading>;
}

/** Follows its source while somebody listens. */
export class LiveFeed implements Feed {
  readonly #source: Source;
  readonly #onIdle: () => void;
  readonly #listeners = new FanOut();
  #following: Promise<Follower> | undefined;
  #recent: readonly Frame[] = [];
  #newest = 0;
  #ended = false;

  /** @param onIdle the last listener has left: nobody should come to this one any more */
  constructor(source: Source, onIdle: () => void) {
    this.#source = source;
    this.#onIdle = onIdle;
  }

  get newest(): number {
    return this.#newest;
  }

  get dense(): boolean {
    return this.#source.dense;
  }

  /** True once the last frame came by, or the source is gone. */
  get ended(): boolean {
    return this.#ended;
  }

  listen(onFrames: () => void): void {
    this.#listeners.add(onFrames);
  }

  unlisten(onFrames: () => void): void {
    if (!this.#listeners.delete(onFrames) || this.#listeners.size > 0) return;
    const following = this.#following;
    this.#following = undefined;
    following?.then(
      (follower) => follower.stop(),
      () => {},
    );
    this.#onIdle();
  }

  /**
   * Resolves once a listener misses nothing that is committed later. Rejects when the source cannot be followed; the
   * next call tries again.
   */
  async joined(): Promise<void> {
    if (this.#listeners.size === 0) return;
    this.#following ??= this.#follow();
    await this.#following;
  }

  recent(after: number): readonly Frame[] | undefined {
    // Before its first frame, this feed does not know the newest position.
    const isUpToDate = this.#newest > 0 && after >= this.#newest;
    return isUpToDate ? [] : framesAbove(this.#recent, after);
  }

  async read(after: number): Promise<Reading> {
    // First joined, then read: what is committed between the two is seen twice rather than never.
    await this.joined();
    return this.#source.read(after);
  }

  #follow(): Promise<Follower> {
    const following = this.#source.follow(
      (frames) => this.#take(frames),
      () => this.#lose(),
    );
    following.catch(() => {
      if (this.#following === following) this.#following = undefined;
    });
    return following;
  }

  /** Without frames in memory, each notified viewer reads the source. */
  #lose(): void {
    this.#recent = [];
    this.#newest = 0;
    this.#ended = true;
    this.#listeners.tell();
  }

  #take(frames: readonly Frame[]): void {
    // A hole (rows from before we followed) must not be taken for "nothing there": start anew behind it.
    const isHole = this.dense && frames[0]?.seq !== this.#newest + 1;
    // A batch is kept whole until the next one, however large: most are told before that comes. Those who are not
    // (there are hundreds, told a few at a time) and are further behind than `keep` read it from the source.
    this.#recent = [...(isHole ? [] : this.#recent), ...frames].slice(-Math.max(this.#source.keep, frames.length));
    this.#newest = frames.at(-1)?.seq ?? this.#newest;
    this.#ended ||= frames.some(({ last }) => last);
    this.#listeners.tell();
    // A lone viewer has just been told; if its socket is full, it reads them later. So most runs keep nothing.
    if (this.#listeners.size <= 1) this.#recent = [];
  }
}

/** @param frames without a hole between them */
export function framesAbove(frames: readonly Frame[], after: number): readonly Frame[] | undefined {
  const [first] = frames;
  if (first === undefined || first.seq > after + 1) return undefined;
  // Search from the end: nearly all viewers are up to date.
  return frames.slice(frames.findLastIndex(({ seq }) => seq <= after) + 1);
}
