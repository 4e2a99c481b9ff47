/**
 * Backpressure of one connection: whether its buffer is full, who waits for room, and how long nothing was
 * taken. `write() === false` means full; `drain` means room again, and never comes once the client is gone.
 */
import type { Writable } from "node:stream";
import type { DeliveryMeter } from "./meter.ts";

/** Node's own name for it; a ServerResponse and a Socket both have it. */
type Buffered = Pick<Writable, "writableNeedDrain" | "writableLength"> & NodeJS.EventEmitter;

export interface OutflowOptions {
  readonly meter: DeliveryMeter;
  readonly slowClientMs: number;
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

  /** From now on the client has `slowClientMs` to take all that is buffered. */
  watch(): void {
    this.#slowTimer ??= setTimeout(() => {
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
