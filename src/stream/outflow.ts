/**
 * Backpressure of one connection: whether its buffer is full, who waits for room, and how long nothing was
 * taken. `write() === false` means full; `drain` means room again, and never comes once the client is gone.
 */
import type { Socket } from "node:net";
import type { Writable } from "node:stream";
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
  /** Nothing was taken for `slowClientMs`. */
  readonly onSlow: () => void;
}

export class Outflow {
  readonly #buffer: Buffered;
  readonly #options: OutflowOptions;
  // Bounded by the subscriptions of one connection.
  readonly #waiting: (() => void)[] = [];
  #slowTimer: NodeJS.Timeout | undefined;

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
   * From now on something of what is buffered has to leave within each `slowClientMs`, until it is empty. What
   * leaves is what the kernel takes, and Linux takes nothing before a third of its buffer is free: so the slowest
   * that is let live takes that much in the time [over loopback some 1.5 MB; buffers of slow links are smaller].
   */
  watch(): void {
    if (this.#slowTimer) return;
    const [queuedBytes, unsentBytes] = [this.queuedBytes, unsentBytesOf(this.#options.tcp())];
    this.#slowTimer = setTimeout(() => {
      this.#slowTimer = undefined;
      // Slow is not dead. (What the kernel has taken and not sent yet, nobody here can see.)
      const hasTaken = this.queuedBytes < queuedBytes || unsentBytesOf(this.#options.tcp()) !== unsentBytes;
      if (hasTaken) return this.watch();
      this.#options.meter.closedAsSlow();
      this.#options.onSlow();
    }, this.#options.slowClientMs);
  }

  /** Calls back once there is room. Never, when the connection closes before. */
  onDrain(resume: () => void): void {
    this.#waiting.push(resume);
  }

  #onDrain(): void {
    clearTimeout(this.#slowTimer);
    this.#slowTimer = undefined;
    // In turn, as long as there is room, and each once: one that waits on (its socket is closing) is behind them.
    for (let turns = this.#waiting.length; turns > 0 && !this.full; turns -= 1) this.#waiting.shift()?.();
  }

  #onClose(): void {
    clearTimeout(this.#slowTimer);
    this.#waiting.length = 0;
    this.#options.meter.outflows.delete(this);
  }
}

/**
 * What the kernel has not taken yet of the write that is in progress. `writableLength` counts a write whole until
 * its last byte is gone, so that one large event would look stuck however steadily it is read. The field is not
 * documented, but net.Socket's own timeout goes by it for the same reason. 0 where there is none.
 */
function unsentBytesOf(tcp: Socket | null): number {
  const { _handle: handle } = (tcp ?? {}) as { readonly _handle?: { readonly writeQueueSize?: number } | null };
  return handle?.writeQueueSize ?? 0;
}
