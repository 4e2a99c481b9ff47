/**
 * One viewer of one feed: it stores a cursor and nothing else. It reads while its socket takes bytes, and
 * stops when the socket is full, so that a slow client costs no memory and delays no other client.
 */
import { hasCode } from "../core/errors.ts";
import type { Feed, Reading } from "./feed.ts";
import type { Frame } from "./frame.ts";
import type { DeliveryMeter } from "./meter.ts";
import { STORAGE_RETRY_MS } from "./read-again.ts";
import type { PageQueue } from "./page-queue.ts";

/** The target of frames: an SSE response, or one subscription of a WebSocket. */
export interface Sink {
  /** True when it takes no more until `onDrain` calls back. */
  readonly full: boolean;
  write(frames: readonly Frame[]): void;
  /** Reports that the events between the two positions are gone. */
  gap(after: number, next: number): void;
  /** Calls back once, when the sink takes bytes again; never, if the sink was closed meanwhile. */
  onDrain(resume: () => void): void;
}

/** A sink that takes events of other feeds as well. */
export interface OpenSink extends Sink {
  /** Sends an event without a position, from which no client can resume. */
  tell(event: object): void;
}

export interface Watch {
  readonly feed: Feed;
  /** The last seq that the client has. */
  readonly after: number;
  readonly sink: Sink;
  /** The last frame was written, or the feed is gone. Called at most once, not after `stop`, never at once. */
  readonly onEnd: (error?: unknown) => void;
}

export interface ViewerOptions extends Watch {
  readonly meter: DeliveryMeter;
  readonly pageQueue: PageQueue;
}

/** Many small frames go out as one write; large ones are not piled up behind a socket that is full. */
const MAX_WRITE_CHARACTERS = 64 * 1024;

export class Viewer {
  readonly #options: ViewerOptions;
  readonly #feed: Feed;
  readonly #onFrames = () => this.#pump();
  #cursor: number;
  #state: "idle" | "reading" | "blocked" | "stopped" = "idle";
  // Frames came while the source was being read: look again before going idle.
  #dirty = false;
  // True once this viewer has caught up with the feed since its last `#read()`.
  #isCurrent = false;
  #retry: NodeJS.Timeout | undefined;

  constructor(options: ViewerOptions) {
    this.#options = options;
    this.#feed = options.feed;
    this.#cursor = options.after;
    this.#feed.listen(this.#onFrames);
    options.meter.viewers.add(this);
    this.#read();
  }

  /** The number of positions by which this viewer is behind the newest that this worker has seen. */
  get behind(): number {
    return this.#feed.behind(this.#cursor);
  }

  /** Writes nothing after this. Idempotent. */
  stop(): void {
    this.#state = "stopped";
    clearTimeout(this.#retry);
    this.#feed.unlisten(this.#onFrames);
    this.#options.meter.viewers.delete(this);
  }

  #pump(): void {
    this.#dirty = true;
    while (this.#state === "idle") {
      const frames = this.#feed.recent(this.#cursor);
      if (frames === undefined) return this.#read();
      const [oldest] = frames;
      if (oldest === undefined) {
        this.#isCurrent = true;
        return;
      }
      if (!this.#write(frames)) return;
      // While a viewer catches up, the age of its frames says nothing about delivery.
      if (this.#isCurrent) this.#options.meter.wrote(oldest);
    }
  }

  #read(): void {
    this.#state = "reading";
    this.#isCurrent = false;
    this.#readInTurn().catch((error: unknown) => this.#onTrouble(error));
  }

  async #readInTurn(): Promise<void> {
    await this.#options.pageQueue.next();
    if (this.#state !== "reading") return;
    // Other viewers may have filled the socket meanwhile. Do not read what cannot be written.
    if (this.#options.sink.full) return this.#block();
    this.#dirty = false;
    this.#onReading(await this.#feed.read(this.#cursor));
  }

  #onReading({ frames, over }: Reading): void {
    if (this.#state !== "reading") return;
    this.#state = "idle";
    if (over) return this.#end();
    if (frames.length > 0) this.#write(frames);
    // The read returned nothing and no frames arrived meanwhile: stay idle until the feed calls `#onFrames`.
    if (frames.length > 0 || this.#dirty) this.#pump();
  }

  #onTrouble(error: unknown): void {
    if (this.#state !== "reading") return;
    if (!hasCode(error, "STORAGE_UNAVAILABLE")) return this.#end(error);
    // The stream stays open, and goes on when the storage works again.
    this.#retry = setTimeout(() => this.#read(), STORAGE_RETRY_MS);
  }

  /** @returns false when it could not write all frames and now waits for room */
  #write(frames: readonly Frame[]): boolean {
    const { sink } = this.#options;
    for (const slice of slicesOf(frames, this.#feed.dense)) {
      // Check before each write and not after it: other viewers may have filled the socket since this viewer
      // last wrote.
      if (sink.full) {
        this.#block();
        return false;
      }
      const [first, last] = [slice[0], slice.at(-1)];
      if (!first || !last) break;
      if (this.#feed.dense && first.first > this.#cursor + 1) sink.gap(this.#cursor, first.first);
      this.#cursor = last.seq;
      sink.write(slice);
      if (last.last) this.#end();
    }
    return true;
  }

  #block(): void {
    this.#state = "blocked";
    this.#options.sink.onDrain(() => {
      if (this.#state !== "blocked") return;
      this.#state = "idle";
      this.#pump();
    });
  }

  #end(error?: unknown): void {
    if (this.#state === "stopped") return;
    this.stop();
    this.#options.onEnd(error);
  }
}

/**
 * Cuts frames into slices that a socket can take. No slice contains a gap; gaps are reported between slices.
 */
function* slicesOf(frames: readonly Frame[], dense: boolean): Generator<readonly Frame[]> {
  let from = 0;
  let characters = 0;
  for (const [index, { seq, json }] of frames.entries()) {
    characters += json.length;
    const next = frames[index + 1];
    const isWhole = !next || (dense && next.first !== seq + 1);
    if (characters < MAX_WRITE_CHARACTERS && !isWhole) continue;
    yield frames.slice(from, index + 1);
    from = index + 1;
    characters = 0;
  }
}
