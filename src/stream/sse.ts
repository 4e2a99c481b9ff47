/** Server-sent events (WHATWG HTML § 9.2) over a plain response. */
import type { ServerResponse } from "node:http";
import { customEvent } from "../core/event.ts";
import type { StreamEncoder } from "../protocols/encoder.ts";
import type { Frame } from "./frame.ts";
import { Outflow, type OutflowLimits } from "./outflow.ts";
import type { OpenSink } from "./viewer.ts";

/** A comment: no event to the client. */
const PING = ": ping\n\n";

const HEADERS = {
  "Content-Type": "text/event-stream; charset=utf-8",
  // no-transform: a compressing proxy would hold events back.
  "Cache-Control": "no-cache, no-transform",
  // nginx buffers responses unless told not to.
  "X-Accel-Buffering": "no",
};

export interface SseOptions {
  /** For a client of another protocol. Others go on by themselves, after the last event that they have. */
  readonly encoder?: Pick<StreamEncoder, "lastWords"> | undefined;
}

export class SseStream implements OpenSink {
  readonly #response: ServerResponse;
  readonly #outflow: Outflow;
  readonly #encoder: SseOptions["encoder"];
  #wrote = true;
  #left = false;

  constructor(response: ServerResponse, { encoder, ...limits }: OutflowLimits & SseOptions) {
    this.#response = response;
    this.#encoder = encoder;
    const onSlow = () => response.destroy();
    this.#outflow = new Outflow(response, { ...limits, tcp: () => response.socket, onSlow });
  }

  /** Headers that were set before are sent too. */
  open(): void {
    if (this.#response.headersSent) return;
    this.#response.writeHead(200, HEADERS);
    this.#response.flushHeaders();
  }

  onClose(listener: () => void): void {
    this.#response.on("close", listener);
  }

  /**
   * A stream that a drain has just ended takes no more frames either; its viewer stops when the response
   * closes.
   */
  get full(): boolean {
    return this.#outflow.full || this.#response.writableEnded;
  }

  write(frames: readonly Frame[]): void {
    // Joined, the frames are one chunk and one system call.
    this.#response.cork();
    for (const { serverSentEvent } of frames) this.#response.write(serverSentEvent);
    this.#response.uncork();
    this.#sent();
  }

  /** Whole server-sent events, made by the caller. */
  send(text: string): void {
    this.#response.write(text);
    this.#sent();
  }

  tell(event: object): void {
    this.send(`data: ${JSON.stringify(event)}\n\n`);
  }

  gap(after: number, next: number): void {
    this.tell(customEvent("evenkeel.gap", { after, next }));
  }

  onDrain(resume: () => void): void {
    this.#outflow.onDrain(resume);
  }

  ping(): void {
    if (!this.#wrote && !this.full) this.send(PING);
    this.#wrote = false;
  }

  /** Ends the stream after all was sent. A client that does not take the rest in time is cut off. */
  end(): void {
    this.#response.end();
    if (!this.#response.closed) this.#outflow.watch();
  }

  /** True when we left the stream to drain: the client did not ask for that. */
  get left(): boolean {
    return this.#left;
  }

  /**
   * A client that resumes gets an event stream that ends, with its headers even if nothing was written. Clients of other
   * protocols would take an end without a word for the end of the answer, and show half of it as the whole.
   */
  leave(): void {
    if (this.#response.writableEnded) return;
    this.#left = true;
    const lastWords = this.#encoder?.lastWords;
    if (this.#encoder && lastWords === undefined) return this.cut();
    this.open();
    if (lastWords !== undefined) this.send(lastWords);
    this.end();
  }

  /** Cuts the connection when not all was sent, so that no client takes the stream for complete. */
  cut(): void {
    this.#response.destroy();
  }

  #sent(): void {
    this.#wrote = true;
    this.#outflow.wrote();
  }
}
