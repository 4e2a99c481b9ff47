/**
 * One viewer of one feed: a cursor and nothing else. While its socket takes bytes it reads on; when the
 * socket is full it stops reading, so that a slow client costs no memory and delays nobody.
 */
import type { Delivery } from "./delivery.ts";
import type { Feed, Reading } from "./feed.ts";
import type { Frame } from "./frame.ts";

/** Where frames go: an SSE response, one subscription of a WebSocket. */
export interface Sink {
  /** True when it takes no more until `onDrain` calls back. */
  readonly full: boolean;
  write(frames: readonly Frame[]): void;
  /** What stood between the two positions is gone. */
  gap(after: number, next: number): void;
  /** Calls back once, when it takes bytes again. Never, when it was closed meanwhile. */
  onDrain(resume: () => void): void;
}

export interface ViewerOptions {
  readonly delivery: Delivery;
  readonly feed: Feed;
  /** The last seq that the client has. */
  readonly after: number;
  readonly sink: Sink;
  /** The last frame was written, or the feed could not be read. Called at most once, not after `stop`. */
  readonly onEnd: (error?: unknown) => void;
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

  constructor(options: ViewerOptions) {
    this.#options = options;
    this.#feed = options.feed;
    this.#cursor = options.after;
    options.delivery.meter.viewers.add(this);
    this.#feed.listen(this.#onFrames);
    this.#read();
  }

  /** How many positions it is behind the newest that this worker has seen. */
  get behind(): number {
    return Math.max(0, this.#feed.newest - this.#cursor);
  }

  /** Writes nothing after this. Idempotent. */
  stop(): void {
    this.#state = "stopped";
    this.#feed.unlisten(this.#onFrames);
    this.#options.delivery.meter.viewers.delete(this);
  }

  #pump(): void {
    this.#dirty = true;
    while (this.#state === "idle") {
      const frames = this.#feed.recent(this.#cursor);
      if (frames === undefined) return this.#read();
      const [oldest] = frames;
      if (oldest === undefined) return;
      if (!this.#write(frames)) return;
      // Only whoever is up to date: the time of one who reads history says nothing about delivery.
      this.#options.delivery.meter.wrote(oldest);
    }
  }

  #read(): void {
    this.#state = "reading";
    this.#dirty = false;
    this.#feed.read(this.#cursor).then(
      (reading) => this.#onReading(reading),
      (error: unknown) => this.#end(error),
    );
  }

  #onReading({ frames, over }: Reading): void {
    if (this.#state !== "reading") return;
    this.#state = "idle";
    if (over) return this.#end();
    if (frames.length > 0) this.#write(frames);
    // Nothing new and nobody called: the feed will.
    if (frames.length > 0 || this.#dirty) this.#pump();
  }

  /** @returns false when it could not write all, and waits for room */
  #write(frames: readonly Frame[]): boolean {
    const { sink } = this.#options;
    for (const slice of slicesOf(frames)) {
      // Asked before, not after: others may have filled the socket since this viewer last wrote.
      if (sink.full) {
        this.#block();
        return false;
      }
      const [first, last] = [slice[0], slice.at(-1)];
      if (!first || !last) break;
      if (this.#feed.dense && first.seq > this.#cursor + 1) sink.gap(this.#cursor, first.seq);
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

function* slicesOf(frames: readonly Frame[]): Generator<readonly Frame[]> {
  let from = 0;
  let characters = 0;
  for (const [index, { json }] of frames.entries()) {
    characters += json.length;
    if (characters < MAX_WRITE_CHARACTERS) continue;
    yield frames.slice(from, index + 1);
    from = index + 1;
    characters = 0;
  }
  if (from < frames.length) yield from === 0 ? frames : frames.slice(from);
}
