/** Measures delivery. The heartbeat reads it once a second; each write to it must be very cheap. */
import { GAUGE, LATENCY } from "../core/gauges.ts";
import { RollingHistogram } from "../observe/rolling-histogram.ts";
import type { Frame } from "./frame.ts";

/** The properties of a viewer and of an outflow that the meter reads. */
interface Lagging {
  readonly behind: number;
}
interface Queueing {
  readonly queuedBytes: number;
  /** Its viewers wait until the client takes bytes. */
  readonly full: boolean;
}

export class DeliveryMeter {
  // Both bounded by the connections of this worker and their subscriptions.
  readonly viewers = new Set<Lagging>();
  readonly outflows = new Set<Queueing>();
  readonly #appendToSocket = new RollingHistogram();
  #closedAsSlow = 0;

  /**
   * Records the age of a frame that was sent: of frames sent together the oldest, so that the figure does not
   * look better than it is.
   */
  wrote({ at }: Frame): void {
    // Use the wall clock, as the writer did: it is another process, and monotonic clocks of two processes
    // cannot be compared.
    this.#appendToSocket.record(Date.now() - at);
  }

  closedAsSlow(): void {
    this.#closedAsSlow += 1;
  }

  /** Gauges by name: counts, bytes, positions, ms; `closed_as_slow` only grows. */
  read(): Record<string, number> {
    let queuedBytes = 0;
    let slowestBehind = 0;
    for (const outflow of this.outflows) queuedBytes += outflow.queuedBytes;
    for (const viewer of this.viewers) slowestBehind = Math.max(slowestBehind, viewer.behind);
    return {
      [GAUGE.viewers]: this.viewers.size,
      [GAUGE.queuedBytes]: queuedBytes,
      [GAUGE.slowestBehindEvents]: slowestBehind,
      [GAUGE.closedAsSlow]: this.#closedAsSlow,
      ...this.#appendToSocket.read(LATENCY.appendToSocket),
    };
  }
}
