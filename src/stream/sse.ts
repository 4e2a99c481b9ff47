/**
 * Server-sent events (WHATWG HTML § 9.2) over a plain response, and the set of all that are open in this
 * worker: one timer pings them all, and a drain can end them all.
 */
import type { ServerResponse } from "node:http";
import { customEvent } from "../core/event.ts";
import type { Frame } from "./frame.ts";
import type { DeliveryMeter } from "./meter.ts";
import { Outflow } from "./outflow.ts";
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

export interface SseStreamOptions {
  readonly meter: DeliveryMeter;
  readonly slowClientMs: number;
  readonly onClose: () => void;
}

export class SseStream implements Sink {
  readonly #response: ServerResponse;
  readonly #outflow: Outflow;
  #wrote = true;

  constructor(response: ServerResponse, { meter, slowClientMs, onClose }: SseStreamOptions) {
    this.#response = response;
    this.#outflow = new Outflow(response, { meter, slowClientMs, onSlow: () => response.destroy() });
    response.on("close", onClose);
  }

  /** Headers that were set before are sent too. */
  open(): void {
    this.#response.writeHead(200, HEADERS);
    this.#response.flushHeaders();
  }

  /** Ended by a drain a moment ago it takes nothing either; its viewer stops when the response closes. */
  get full(): boolean {
    return this.#outflow.full || this.#response.writableEnded;
  }

  write(frames: readonly Frame[]): void {
    let text = "";
    for (const { seq, json } of frames) text += `id: ${seq}\ndata: ${json}\n\n`;
    this.#send(text);
  }

  /** Without an id: it is no position to resume from. */
  gap(after: number, next: number): void {
    this.#send(`data: ${JSON.stringify(customEvent("evenkeel.gap", { after, next }))}\n\n`);
  }

  onDrain(resume: () => void): void {
    this.#outflow.onDrain(resume);
  }

  ping(): void {
    if (!this.#wrote && !this.full) this.#send(PING);
    this.#wrote = false;
  }

  /** A client that does not take the rest within `slowClientMs` is cut off. */
  end(): void {
    this.#response.end();
    if (!this.#response.closed) this.#outflow.watch();
  }

  #send(text: string): void {
    this.#wrote = true;
    this.#response.write(text);
    this.#outflow.wrote();
  }
}

export class SseStreams {
  readonly #meter: DeliveryMeter;
  readonly #slowClientMs: number;
  // Bounded by the connections of this worker.
  readonly #open = new Set<SseStream>();
  readonly #pinger = setInterval(() => this.#ping(), PING_MS);

  constructor(meter: DeliveryMeter, slowClientMs: number) {
    this.#meter = meter;
    this.#slowClientMs = slowClientMs;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Turns the response into an event stream. `onClose` comes once, whoever closed it. */
  open(response: ServerResponse, onClose: () => void): SseStream {
    const stream: SseStream = new SseStream(response, {
      meter: this.#meter,
      slowClientMs: this.#slowClientMs,
      onClose: () => {
        this.#open.delete(stream);
        onClose();
      },
    });
    this.#open.add(stream);
    stream.open();
    return stream;
  }

  /** Ends every stream; clients resume elsewhere from the last id they saw. */
  stop(): void {
    clearInterval(this.#pinger);
    for (const stream of this.#open) stream.end();
  }

  #ping(): void {
    for (const stream of this.#open) stream.ping();
  }
}
