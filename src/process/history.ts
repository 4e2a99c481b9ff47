/**
 * The last five minutes of all processes: a snapshot a second, and marks for what happened to those of this machine. It
 * lives in the primary, which outlives every worker, and is handed to each new worker: so every browser shows the same
 * past, whichever worker it asks. Owned by the supervisor; stored nowhere.
 */
import { HISTORY_BOUNDS, HISTORY_MS, MAX_MARKS } from "../core/limits.ts";
import { thin } from "../core/thin.ts";
import type { OwnMark, Snapshot } from "./protocol.ts";

/** Keeps about one snapshot a second: a snapshot that comes earlier replaces the last one. */
const SPACING_MS = 900;
const MAX_DETAIL_CHARACTERS = 200;

interface Entry {
  /** When it was added, by the monotonic clock: a wall clock may be set. */
  readonly at: number;
  readonly characters: number;
  readonly snapshot: Snapshot;
}

export class History {
  // Bounded by HISTORY_BOUNDS.
  #entries: readonly Entry[] = [];
  #marks: readonly OwnMark[] = [];
  #lastMark = 0;

  /** Oldest first. */
  get snapshots(): readonly Snapshot[] {
    return this.#entries.map(({ snapshot }) => snapshot);
  }

  add(snapshot: Snapshot): void {
    const at = performance.now();
    const [before, last] = this.#entries.slice(-2);
    // Compare with the snapshot before the last one. Otherwise, in a burst of changes, each snapshot would
    // replace the previous one without end.
    const isBurst = before !== undefined && last !== undefined && at - before.at < SPACING_MS;
    const earlier = isBurst ? this.#entries.slice(0, -1) : this.#entries;
    const recent = earlier.filter((entry) => entry.at > at - HISTORY_MS);
    this.#entries = thin([...recent, { at, characters: JSON.stringify(snapshot).length, snapshot }], HISTORY_BOUNDS);
  }

  /** The newest MAX_MARKS of the last five minutes, oldest first. */
  marks(now = Date.now()): readonly OwnMark[] {
    this.#marks = this.#marks.filter(({ at }) => at > now - HISTORY_MS);
    return this.#marks;
  }

  mark(mark: Pick<OwnMark, "type" | "process" | "detail">): void {
    this.#lastMark += 1;
    const detail = mark.detail.slice(0, MAX_DETAIL_CHARACTERS);
    this.#marks = [...this.#marks, { ...mark, detail, id: this.#lastMark, at: Date.now() }].slice(-MAX_MARKS);
  }
}
