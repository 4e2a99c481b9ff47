/** Delivery of one worker: its feeds, its open streams and sockets, and what they measure. Made in `main.ts`. */
import type { Engine } from "../engine/engine.ts";
import { Feeds } from "./feeds.ts";
import { DeliveryMeter } from "./meter.ts";
import { Sockets } from "./socket.ts";
import { SseStreams } from "./sse.ts";

export class Delivery {
  readonly feeds: Feeds;
  readonly meter = new DeliveryMeter();
  readonly streams: SseStreams;
  readonly sockets: Sockets;

  /** @param slowClientMs a client that takes nothing for longer is closed */
  constructor(engine: Engine, slowClientMs: number) {
    this.feeds = new Feeds(engine);
    this.streams = new SseStreams(this.meter, slowClientMs);
    this.sockets = new Sockets(this.meter, slowClientMs);
  }

  /** Ends all that is open; clients resume elsewhere from the last seq they saw. Idempotent. */
  stop(): void {
    this.streams.stop();
    this.sockets.stop();
  }
}
