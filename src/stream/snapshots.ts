/**
 * The primary's snapshots of all processes, one a second, as a feed. They are stored nowhere. The primary hands the last
 * five minutes to each new worker (`process/history.ts`), so all workers show the same past. Fed by `worker/main.ts`.
 */
import type { ProcessInfo, Snapshot } from "../process/protocol.ts";
import { FanOut } from "./fan-out.ts";
import { framesAbove, type Feed, type Reading } from "./feed.ts";
import { snapshotFrame, type Frame } from "./frame.ts";

/**
 * Bounds: five minutes at one snapshot a second, and fewer when very many processes make them too large. In
 * memory they take up to twice the characters, 8 MB, because each frame also keeps its bytes once it was sent
 * to a page.
 */
const KEEP = 300;
const KEEP_CHARACTERS = 4 * 1024 * 1024;

const NOTHING = { machine: "", machines: [], processes: [], advice: [] };

export class SnapshotFeed implements Feed {
  /** Each snapshot is complete, so a viewer that missed some needs no notice of a gap. */
  readonly dense = false;
  readonly #listeners = new FanOut();
  #frames: readonly Frame[] = [];
  #latest: Snapshot | undefined;

  get newest(): number {
    return this.#frames.at(-1)?.seq ?? 0;
  }

  /** All machines as they were a moment ago; nothing before the first snapshot. */
  get shown(): Pick<Snapshot, "machine" | "machines" | "processes" | "advice"> {
    return this.#latest ?? NOTHING;
  }

  /** The processes of this machine, as they were a moment ago. */
  get ownProcesses(): readonly ProcessInfo[] {
    const { machine, processes } = this.shown;
    return processes.filter((process) => process.machine === machine);
  }

  take(snapshot: Snapshot): void {
    // The history and the first snapshots after it may overlap. A primary that was started anew counts from 1 again, but
    // its workers are new as well.
    if (snapshot.seq <= this.newest) return;
    this.#latest = snapshot;
    const frame = snapshotFrame(snapshot);
    const keep = Math.min(KEEP, Math.ceil(KEEP_CHARACTERS / frame.json.length));
    this.#frames = [...this.#frames, frame].slice(-keep);
    this.#listeners.tell();
  }

  listen(onFrames: () => void): void {
    this.#listeners.add(onFrames);
  }

  unlisten(onFrames: () => void): void {
    this.#listeners.delete(onFrames);
  }

  recent(after: number): readonly Frame[] | undefined {
    return framesAbove(this.#frames, after);
  }

  /** Snapshots older than the ones in memory are gone. */
  async read(after: number): Promise<Reading> {
    return { frames: this.#frames.filter(({ seq }) => seq > after), over: false };
  }
}
