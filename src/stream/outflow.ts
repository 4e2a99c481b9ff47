/**
 * Backpressure of one connection: whether its buffer is full, who waits for room, and how long nothing was
 * taken. `write() === false` means full; `drain` means room again, and never comes once the client is gone.
 */
import type { Writable } from "node:stream";
import type { DeliveryMeter } from "./meter.ts";

/** Node's own name for it; a ServerResponse and a Socket both have it. */
type Buffered = Pick<Writable, "writableNeedDrain" | "writableLength"> & NodeJS.EventEmitter;

export interface OutflowLimits {
  readonly meter: DeliveryMeter;
  readonly slowClientMs: number;
}

interface OutflowOptions extends OutflowLimits {
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

  /** From now on something of what is buffered has to leave within each `slowClientMs`, until it is empty. */
  watch(): void {
    if (this.#slowTimer) return;
    const queuedBytes = this.queuedBytes;
    this.#slowTimer = setTimeout(() => {
      this.#slowTimer = undefined;
      // Slow is not dead. (What the kernel has taken and not sent yet, nobody here can see.)
      if (this.queuedBytes < queuedBytes) return this.watch();
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
