/**
 * A feed is what viewers read from: one ordered source (a run's journal, the activities) that is followed
 * once per worker, whatever the number of viewers. The newest frames are in memory; older ones are read from
 * the source.
 */
import type { Follower } from "../engine/engine.ts";
import { FanOut } from "./fan-out.ts";
import type { Frame } from "./frame.ts";

/** A feed as its viewers see it. */
export interface Feed {
  /** By how many positions a viewer that has everything up to `after` is behind, as far as this worker knows. */
  behind(after: number): number;
  /** True when positions count 1, 2, 3 …, so that a hole means missing history. */
  readonly dense: boolean;
  /**
   * The frames above `after`, if all of them are in memory; otherwise undefined, and the caller must `read`.
   */
  recent(after: number): readonly Frame[] | undefined;
  /** Frames above `after` in order. Rejects when the source cannot be read, or is gone. */
  read(after: number): Promise<Reading>;
  /** Calls `onFrames` whenever there are frames that `read` did not return. */
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
  /** @param onGone called when the source is gone; `read` then rejects with the reason */
  follow(onFrames: (frames: readonly Frame[]) => void, onGone: () => void): Promise<Follower>;
  read(after: number): Promise<Reading>;
}

/** Follows its source while it has listeners. */
export class LiveFeed implements Feed {
  readonly #source: Source;
  readonly #onIdle: () => void;
  readonly #listeners = new FanOut();
  #following: Promise<Follower> | undefined;
  #recent: readonly Frame[] = [];
  #newest = 0;
  #ended = false;

  /** @param onIdle called when the last listener has left; no new listener may be added after it */
  constructor(source: Source, onIdle: () => void) {
    this.#source = source;
    this.#onIdle = onIdle;
  }

  /** Position of the newest frame that the feed has received; 0 before the first. */
  get newest(): number {
    return this.#newest;
  }

  behind(after: number): number {
    return Math.max(0, this.#newest - after);
  }

  get dense(): boolean {
    return this.#source.dense;
  }

  /** True once the last frame was received, or the source is gone. */
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
  async followed(): Promise<void> {
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
    // Follow first, then read: frames that are committed between the two are seen twice rather than never.
    await this.followed();
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
    // A hole (rows from before this feed followed) must not look like "no frames", so keep only the frames
    // after it.
    const isHole = this.dense && frames[0]?.seq !== this.#newest + 1;
    // Keep the newest batch whole, even above `keep`: most viewers read it before the next batch comes. A
    // viewer that has not been notified by then (of hundreds, a few are notified at a time) and is more than
    // `keep` frames behind reads from the source.
    this.#recent = [...(isHole ? [] : this.#recent), ...frames].slice(-Math.max(this.#source.keep, frames.length));
    this.#newest = frames.at(-1)?.seq ?? this.#newest;
    this.#ended ||= frames.some(({ last }) => last);
    this.#listeners.tell();
    // A single viewer has just been notified. If its socket is full, it reads the frames from the source
    // later. So most runs keep no frames.
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
