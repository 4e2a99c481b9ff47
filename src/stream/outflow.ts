/**
 * Backpressure of one connection: whether its buffer is full, which viewers wait for room, and how long the
 * client took no bytes. `write() === false` means full; `drain` means room again, and never comes once the
 * client is gone.
 */
import type { Socket } from "node:net";
import type { Writable } from "node:stream";
import { TimeLimit } from "../core/time-limit.ts";
import type { DeliveryMeter } from "./meter.ts";

/** Node's own name for it; a ServerResponse and a Socket both have it. */
type Buffered = Pick<Writable, "writableNeedDrain" | "writableLength"> & NodeJS.EventEmitter;

export interface OutflowLimits {
  readonly meter: DeliveryMeter;
  readonly slowClientMs: number;
}

interface OutflowOptions extends OutflowLimits {
  /** The connection below the buffer; null while it still answers an earlier request, and once it is gone. */
  readonly tcp: () => Socket | null;
  /** Called when the client took no bytes for `slowClientMs`. */
  readonly onSlow: () => void;
}

export class Outflow {
  readonly #buffer: Buffered;
  readonly #options: OutflowOptions;
  // Bounded by the subscriptions of one connection.
  readonly #waiting: (() => void)[] = [];
  #slowTimer: TimeLimit | undefined;

  constructor(buffer: Buffered, options: OutflowOptions) {
    this.#buffer = buffer;
    this.#options = options;
    options.meter.outflows.add(this);
    buffer.on("drain", () => this.#onDrain());
    buffer.on("close", () => this.#onClose());
  }

  get full(): boolean {
    return this.#buffer.writableNeedDrain;
  }

  get queuedBytes(): number {
    return this.#buffer.writableLength;
  }

  /** Call after each write. */
  wrote(): void {
    if (this.full) this.watch();
  }

  /**
   * From now on, until the buffer is empty, the kernel must take some buffered bytes within each
   * `slowClientMs`. Linux takes none before a third of its own buffer is free, so the slowest client that is
   * tolerated reads that much in the time [over loopback some 1.5 MB; buffers of slow links are smaller].
   */
  watch(): void {
    if (this.#slowTimer) return;
    const [queuedBytes, unsentBytes] = [this.queuedBytes, unsentBytesOf(this.#options.tcp())];
    this.#slowTimer = new TimeLimit(this.#options.slowClientMs, () => {
      this.#slowTimer = undefined;
      // A slow client is not dead. (Bytes that the kernel has taken and not sent yet cannot be seen here.)
      const hasTaken = this.queuedBytes < queuedBytes || unsentBytesOf(this.#options.tcp()) !== unsentBytes;
      if (hasTaken) return this.watch();
      this.#options.meter.closedAsSlow();
      this.#options.onSlow();
    });
  }

  /** Calls back once there is room. Never, when the connection closes before. */
  onDrain(resume: () => void): void {
    this.#waiting.push(resume);
  }

  #onDrain(): void {
    this.#slowTimer?.stop();
    this.#slowTimer = undefined;
    // Call the waiting viewers in turn while there is room, and each one once: a viewer that waits again (its
    // socket is closing) is added after them.
    for (let turns = this.#waiting.length; turns > 0 && !this.full; turns -= 1) this.#waiting.shift()?.();
  }

  #onClose(): void {
    this.#slowTimer?.stop();
    this.#waiting.length = 0;
    this.#options.meter.outflows.delete(this);
  }
}

/**
 * What the kernel has not taken yet of the write that is in progress. `writableLength` counts a whole write
 * until its last byte is gone, so one large event would look stuck even if the client reads steadily. The
 * field is not documented, but net.Socket's own timeout uses it for the same reason. 0 where there is none.
 */
function unsentBytesOf(tcp: Socket | null): number {
  const { _handle: handle } = (tcp ?? {}) as { readonly _handle?: { readonly writeQueueSize?: number } | null };
  return handle?.writeQueueSize ?? 0;
}
