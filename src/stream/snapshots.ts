/**
 * The primary's snapshots of all processes, one a second, as a feed. They are stored nowhere. The primary hands the last
 * five minutes to each new worker (`process/history.ts`), so all workers show the same past. Fed by `worker/main.ts`.
 */
import { HISTORY_BOUNDS, HISTORY_MS } from "../core/limits.ts";
import { thin } from "../core/thin.ts";
import type { ProcessInfo, Snapshot } from "../process/protocol.ts";
import { FanOut } from "./fan-out.ts";
import { framesAbove, type Feed, type Reading } from "./feed.ts";
import { snapshotFrame, type Frame } from "./frame.ts";

const NOTHING = { machine: "", machines: [], processes: [], advice: [] };

export class SnapshotFeed implements Feed {
  /** Each snapshot is complete, so a viewer that missed some needs no notice of a gap. */
  readonly dense = false;
  readonly #listeners = new FanOut();
  // Bounded by HISTORY_BOUNDS.
  #entries: readonly { readonly at: number; readonly characters: number; readonly frame: Frame }[] = [];
  #frames: readonly Frame[] = [];
  #latest: Snapshot | undefined;

  get newest(): number {
    return this.#frames.at(-1)?.seq ?? 0;
  }

  behind(after: number): number {
    return Math.max(0, this.newest - after);
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
    const recent = this.#entries.filter(({ at }) => at > snapshot.at - HISTORY_MS);
    const entry = { at: snapshot.at, characters: frame.json.length, frame };
    this.#entries = thin([...recent, entry], HISTORY_BOUNDS);
    this.#frames = this.#entries.map((one) => one.frame);
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
