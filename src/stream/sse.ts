/**
 * Server-sent events (WHATWG HTML § 9.2) over a plain response, and the set of all that are open in this
 * worker: one timer pings them all, and a drain can end them all.
 */
import type { ServerResponse } from "node:http";
import type { Sink } from "./viewer.ts";

/** Proxies close what is silent for 30–60 s; comments keep it open and are no events to the client. */
const PING_MS = 15_000;
const PING = ": ping\n\n";

const HEADERS = {
  "Content-Type": "text/event-stream; charset=utf-8",
  // no-transform: a compressing proxy would hold events back.
  "Cache-Control": "no-cache, no-transform",
  // nginx buffers responses unless told not to.
  "X-Accel-Buffering": "no",
};

export class SseStream implements Sink {
  readonly #response: ServerResponse;
  readonly #slowClientMs: number;
  #slowTimer: NodeJS.Timeout | undefined;
  #wrote = true;

  constructor(response: ServerResponse, slowClientMs: number, onClose: () => void) {
    this.#response = response;
    this.#slowClientMs = slowClientMs;
    response.on("close", () => {
      clearTimeout(this.#slowTimer);
      onClose();
    });
  }

  /** Headers that were set before are sent too. */
  open(): void {
    this.#response.writeHead(200, HEADERS);
    this.#response.flushHeaders();
  }

  write(text: string): boolean {
    // Ended by a drain a moment ago; its viewer stops when the response closes.
    if (this.#response.writableEnded) return false;
    this.#wrote = true;
    return this.#response.write(text);
  }

  /** `drain` never comes once the client is gone; then `close` ends the stream and nobody waits. */
  onDrain(resume: () => void): void {
    this.#slowTimer = setTimeout(() => this.#response.destroy(), this.#slowClientMs);
    this.#response.once("drain", () => {
      clearTimeout(this.#slowTimer);
      resume();
    });
  }

  ping(): void {
    if (!this.#wrote && !this.#response.writableNeedDrain) this.write(PING);
    this.#wrote = false;
  }

  /** A client that does not take the rest within `slowClientMs` is cut off. */
  end(): void {
    clearTimeout(this.#slowTimer);
    this.#response.end();
    if (!this.#response.closed) this.#slowTimer = setTimeout(() => this.#response.destroy(), this.#slowClientMs);
  }
}

export class SseStreams {
  readonly #slowClientMs: number;
  // Bounded by the connections of this worker.
  readonly #open = new Set<SseStream>();
  readonly #pinger = setInterval(() => this.#ping(), PING_MS);

  constructor(slowClientMs: number) {
    this.#slowClientMs = slowClientMs;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Turns the response into an event stream. `onClose` comes once, whoever closed it. */
  open(response: ServerResponse, onClose: () => void): SseStream {
    const stream: SseStream = new SseStream(response, this.#slowClientMs, () => {
      this.#open.delete(stream);
      onClose();
    });
    this.#open.add(stream);
    stream.open();
    return stream;
  }

  /** Ends every stream; clients resume elsewhere from the last id they saw. */
  endAll(): void {
    for (const stream of this.#open) stream.end();
  }

  stop(): void {
    clearInterval(this.#pinger);
    this.endAll();
  }

  #ping(): void {
    for (const stream of this.#open) stream.ping();
  }
}
