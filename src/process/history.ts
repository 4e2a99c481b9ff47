/**
 * The last five minutes of all processes: a snapshot a second, and marks for what happened to them. It lives in the
 * primary, which outlives every worker, and is handed to each new worker: so every browser shows the same past, whichever
 * worker it asks. Owned by the supervisor; stored nowhere.
 */
import type { Mark, Snapshot } from "./protocol.ts";

const KEEP_MS = 5 * 60_000;
/** Keeps about one snapshot a second: a snapshot that comes earlier replaces the last one. */
const SPACING_MS = 900;
/**
 * Bound of all snapshots together. With very many processes, the history is therefore shorter than five
 * minutes.
 */
const KEEP_CHARACTERS = 4 * 1024 * 1024;
/** Older marks are dropped: every snapshot carries all of them. */
const MAX_MARKS = 64;
const MAX_DETAIL_CHARACTERS = 200;

export class History {
  // Bounded by KEEP_MS / SPACING_MS and by KEEP_CHARACTERS.
  #snapshots: Snapshot[] = [];
  #marks: Mark[] = [];
  #lastMark = 0;

  /** Oldest first. */
  get snapshots(): readonly Snapshot[] {
    return this.#snapshots;
  }

  /** @param snapshot without its marks @returns the snapshot with the marks of the last five minutes */
  add(snapshot: Omit<Snapshot, "marks">): Snapshot {
    const oldest = snapshot.at - KEEP_MS;
    this.#marks = this.#marks.filter(({ at }) => at > oldest);
    const marked = { ...snapshot, marks: this.#marks };
    const [before, last] = this.#snapshots.slice(-2);
    // Compare with the snapshot before the last one. Otherwise, in a burst of changes, each snapshot would
    // replace the previous one without end.
    const isBurst = before !== undefined && last !== undefined && marked.at - before.at < SPACING_MS;
    const earlier = isBurst ? this.#snapshots.slice(0, -1) : this.#snapshots;
    const keep = Math.ceil(KEEP_CHARACTERS / JSON.stringify(marked).length);
    this.#snapshots = [...earlier.filter(({ at }) => at > oldest), marked].slice(-keep);
    return marked;
  }

  mark(mark: Pick<Mark, "type" | "process" | "detail">): void {
    this.#lastMark += 1;
    const detail = mark.detail.slice(0, MAX_DETAIL_CHARACTERS);
    this.#marks = [...this.#marks, { ...mark, detail, id: this.#lastMark, at: Date.now() }].slice(-MAX_MARKS);
  }
}
