/**
 * A run that this process follows, and how many of its events the followers have had. Seqs have no holes: if an event
 * is not the next one, events were lost, and they are read from the table. Owned by `followers.ts`.
 */
import type { JournalEvent } from "../../core/event.ts";
import type { RunListener } from "../engine.ts";

interface Source {
  /** Listens to the run's channel, and returns the seq of its newest event; null when the run is gone. */
  readonly begin: () => Promise<number | null>;
  /** The next events after a seq, in order; empty when there are no more. */
  readonly read: (after: number) => Promise<JournalEvent[]>;
}

export class FollowedRun {
  readonly #listeners = new Set<RunListener>();
  readonly #source: Source;
  /** Rejects when the first look failed. */
  readonly ready: Promise<void>;
  #position = 0;
  /** Events that come during a look are dropped: another look follows and finds them. */
  #isLooking = true;
  #again = false;
  #wasHeard = true;

  constructor(source: Source) {
    this.#source = source;
    this.ready = this.#begin();
    this.ready.catch(() => {});
  }

  /** The seq of the last event that was handed to the followers. */
  get position(): number {
    return this.#position;
  }

  /** @returns a function that removes the listener. @param onEmpty called when the last listener was removed */
  add(listener: RunListener, onEmpty: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      if (this.#listeners.delete(listener) && this.#listeners.size === 0) onEmpty();
    };
  }

  /** @param events in order, as they came over the bus */
  take(events: readonly JournalEvent[]): void {
    this.#wasHeard = true;
    if (this.#isLooking) {
      this.#again = true;
      return;
    }
    const fresh = events.filter(({ seq }) => seq > this.#position);
    const upTo = fresh.findIndex(({ seq }, index) => seq !== this.#position + 1 + index);
    this.#deliver(upTo < 0 ? fresh : fresh.slice(0, upTo));
    if (upTo >= 0) this.look();
  }

  /** Reads the missing events from the table. */
  look(): void {
    this.#again = true;
    if (!this.#isLooking) void this.#lookOn();
  }

  deleted(): void {
    for (const { onDeleted } of this.#listeners) onDeleted?.();
    // Clear first: `onDeleted` is called at most once.
    this.#listeners.clear();
  }

  /** Whether no event has come since the last call. */
  wasQuiet(): boolean {
    const wasQuiet = !this.#wasHeard;
    this.#wasHeard = false;
    return wasQuiet;
  }

  stop(): void {
    this.#listeners.clear();
  }

  async #begin(): Promise<void> {
    const last = await this.#source.begin();
    this.#position = last ?? 0;
    this.#isLooking = false;
    if (last === null) this.deleted();
    else if (this.#again) void this.#lookOn();
  }

  async #lookOn(): Promise<void> {
    this.#isLooking = true;
    while (this.#again && this.#listeners.size > 0) {
      this.#again = false;
      try {
        const events = await this.#source.read(this.#position);
        this.#deliver(events);
        if (events.length > 0) this.#again = true;
      } catch {
        // The database is away: the next look reads the rest.
        this.#wasHeard = false;
        break;
      }
    }
    this.#isLooking = false;
  }

  #deliver(events: readonly JournalEvent[]): void {
    const last = events.at(-1);
    if (!last) return;
    this.#position = last.seq;
    for (const { onEvents } of this.#listeners) onEvents(events);
  }
}
