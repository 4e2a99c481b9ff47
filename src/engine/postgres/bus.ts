/**
 * How news travels from a commit to the readers in other processes. The bus may lose any message, and a copy may come
 * late: readers look at the tables when a number is missing, and twice a second. `notify.ts` and `redis.ts` implement
 * it, `open.ts` chooses one of them, and `payload.ts` says what the messages mean.
 */
import type { BusState } from "../../core/gauges.ts";

export interface Bus {
  readonly name: BusState["name"];
  /** False while messages do not come, as far as is known. */
  readonly isConnected: boolean;
  /** No message may have a longer payload. */
  readonly maxPayloadBytes: number;
  /** Sends the messages soon, in the order of the calls. The caller does not wait for them. */
  publish(messages: readonly BusMessage[]): void;
  /**
   * Resolves once no message that is published later can be missed, unless the connection breaks. While the bus is
   * away, it may resolve earlier: `onLoss` is called when the channel is listened to.
   */
  listen(channel: string): Promise<void>;
  /** A sentence for the operator when the bus has gone away or come back since the last call. */
  notice(): string | undefined;
  /** Idempotent. Resolves when everything published has been sent, or cannot be sent. */
  close(): Promise<void>;
}

export interface BusListener {
  readonly onMessage: (message: BusMessage) => void;
  /** Messages may have been lost: the connection broke, and is back. */
  readonly onLoss: () => void;
}

export interface BusMessage {
  /** A name of ours: letters, digits and underscores. */
  readonly channel: string;
  readonly payload: string;
}
