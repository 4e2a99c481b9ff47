/**
 * Delivery of one worker: its feeds, its open streams and sockets, and their measurements. Made in `main.ts`.
 */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import type { Engine } from "../engine/engine.ts";
import { Feeds } from "./feeds.ts";
import { DeliveryMeter } from "./meter.ts";
import { OpenStreams } from "./open-streams.ts";
import { SocketStream } from "./socket.ts";
import { SseStream, type SseOptions } from "./sse.ts";
import { PageQueue } from "./page-queue.ts";
import { PiecewiseReply } from "./piecewise.ts";
import { Viewer, type Watch } from "./viewer.ts";

export interface DeliveryOptions {
  /** A client that takes no bytes for longer is closed. */
  readonly slowClientMs: number;
  /** The path of a proxy under which clients ask. */
  readonly basePath: string;
}

export class Delivery {
  readonly feeds: Feeds;
  readonly meter = new DeliveryMeter();
  readonly streams = new OpenStreams<SseStream>();
  readonly sockets = new OpenStreams<SocketStream>();
  /** Paces the pages of history that requests read: this worker writes one piece a tick, so that nobody waits for more. */
  readonly pieceQueue = new PageQueue(1);
  readonly #pageQueue = new PageQueue();
  readonly #slowClientMs: number;

  constructor(engine: Engine, { slowClientMs, basePath }: DeliveryOptions) {
    this.feeds = new Feeds(engine, basePath);
    this.#slowClientMs = slowClientMs;
  }

  /** Turns the response into an event stream; headers go out with the first write, or with `open`. */
  openStream(response: ServerResponse, options: SseOptions): SseStream {
    const stream = new SseStream(response, { ...options, meter: this.meter, slowClientMs: this.#slowClientMs });
    this.streams.add(stream);
    return stream;
  }

  /** @param response not closed yet */
  openReply(response: ServerResponse): PiecewiseReply {
    return new PiecewiseReply(response, { meter: this.meter, slowClientMs: this.#slowClientMs });
  }

  /** @param tcp the socket that `ws` was made on */
  openSocket(ws: WebSocket, tcp: Socket): SocketStream {
    const stream = new SocketStream(ws, tcp, { meter: this.meter, slowClientMs: this.#slowClientMs });
    this.sockets.add(stream);
    return stream;
  }

  watch(watch: Watch): Viewer {
    return new Viewer({ ...watch, meter: this.meter, pageQueue: this.#pageQueue });
  }

  /** Ends all that is open; clients resume elsewhere from the last seq they saw. Idempotent. */
  stop(): void {
    this.streams.stop();
    this.sockets.stop();
  }
}
