/**
 * One viewer of one run: a cursor into the journal and nothing else. While its socket takes bytes it reads
 * on; when the socket is full it stops reading, so that a slow client costs no memory and delays nobody.
 */
import { isTerminal } from "../core/event.ts";
import type { Frame, RunFeed, RunFeeds } from "./feed.ts";

/** Where frames go: an SSE response, a WebSocket. */
export interface Sink {
  /** @returns false when it is full: write no more until `onDrain` calls back */
  write(text: string): boolean;
  /** Calls back once, when it takes bytes again. Never, when it was closed meanwhile. */
  onDrain(resume: () => void): void;
}

export interface ViewerOptions {
  readonly feeds: RunFeeds;
  readonly runId: string;
  /** The last seq that the client has. */
  readonly after: number;
  readonly sink: Sink;
  /** The last event was written, or the journal could not be read. Called at most once, not after `stop`. */
  readonly onEnd: (error?: unknown) => void;
}

const MAX_WRITE_CHARACTERS = 64 * 1024;

export class Viewer {
  readonly #options: ViewerOptions;
  readonly #feed: RunFeed;
  readonly #leave: () => void;
  #cursor: number;
  #state: "idle" | "reading" | "blocked" | "stopped" = "idle";
  // Frames came while the journal was being read: look again before going idle.
  #dirty = false;

  constructor(options: ViewerOptions) {
    this.#options = options;
    this.#cursor = options.after;
    const { feed, leave } = options.feeds.join(options.runId, () => this.#pump());
    this.#feed = feed;
    this.#leave = leave;
    this.#readJournal();
  }

  /** Writes nothing after this. Idempotent. */
  stop(): void {
    this.#state = "stopped";
    this.#leave();
  }

  #pump(): void {
    this.#dirty = true;
    while (this.#state === "idle") {
      const frames = this.#feed.recent(this.#cursor);
      if (frames === undefined) return this.#readJournal();
      if (frames.length === 0) return;
      this.#write(frames);
    }
  }

  #readJournal(): void {
    this.#state = "reading";
    this.#dirty = false;
    this.#feed.read(this.#cursor).then(
      (frames) => this.#onRead(frames),
      (error: unknown) => this.#end(error),
    );
  }

  #onRead(frames: readonly Frame[]): void {
    if (this.#state !== "reading") return;
    this.#state = "idle";
    if (frames.length > 0) this.#write(frames);
    // Nothing new and nobody called: the feed will.
    if (frames.length > 0 || this.#dirty) this.#pump();
  }

  #write(frames: readonly Frame[]): void {
    let text = "";
    for (const [index, frame] of frames.entries()) {
      text += frame.sse;
      this.#cursor = frame.seq;
      const last = index === frames.length - 1;
      // Many small frames go out as one write; large ones are not piled up behind a socket that is full.
      if (!last && text.length < MAX_WRITE_CHARACTERS) continue;
      const taken = this.#options.sink.write(text);
      text = "";
      if (isTerminal(frame.type)) return this.#end();
      if (!taken) return this.#block();
    }
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
