/**
 * The line between the primary and one child: JSON, one message a line, over a socket pair that both inherit. The
 * primary opens one for each child (`fork.ts`), the child finds its end at CHANNEL_FD (`lifecycle.ts`).
 *
 * Not Node's own IPC: `process.send` is open to every tool, Node gathers a message without a bound, and some messages
 * (`{ cmd: "NODE_HANDLE_ACK" }`) end the process that receives them.
 */
import type { Duplex } from "node:stream";

/** File descriptor of the child's end. */
export const CHANNEL_FD = 3;

/** Largest message of a child. A heartbeat has about 1 KB, the settings have a few. */
const MAX_LINE_BYTES = 64 * 1024;
/**
 * The backlog after a pause of the primary is smaller than this: the kernel holds some 200 KB for each child.
 */
const MAX_BYTES_PER_SECOND = 1024 * 1024;
const MAX_MESSAGES_PER_SECOND = 1_000;
/** Bytes that the primary keeps for a child that does not read. Above this bound snapshots are dropped. */
const MAX_UNSENT_BYTES = 8 * 1024 * 1024;

export interface ChannelEvents {
  /** Any JSON value: the receiver checks it. A line that is no JSON is `undefined`. */
  readonly onMessage: (message: unknown) => void;
  /** The other side is gone, or the channel was given up because of `flood`. Called once, and nothing after it. */
  readonly onClose: (flood: string | undefined) => void;
}

/** What `Child` needs of a channel. */
export interface Channel {
  /** Nothing is read before the first call; a later one replaces the listener. */
  listen(events: ChannelEvents): void;
  /** Resolves when the message is written, or can no longer be written. */
  send(message: unknown): Promise<void>;
  /** Idempotent. */
  close(): void;
}

export interface ChannelOptions {
  /**
   * Whether incoming messages are limited in size and rate. The primary limits its children; a child trusts its
   * parent.
   */
  readonly isBounded: boolean;
}

export class SocketChannel implements Channel {
  readonly #socket: Duplex;
  readonly #isBounded: boolean;
  // The pieces of a line that has not ended. At most MAX_LINE_BYTES when bounded.
  #pieces: Buffer[] = [];
  #pieceBytes = 0;
  #thisSecond = { startedAt: performance.now(), bytes: 0, messages: 0 };
  #isListening = false;
  #events: ChannelEvents | undefined;

  constructor(socket: Duplex, { isBounded }: ChannelOptions) {
    this.#socket = socket;
    this.#isBounded = isBounded;
    // An error means that the other side is gone. `close` follows each error, so the error needs no handling
    // here.
    socket.on("error", () => {});
  }

  listen(events: ChannelEvents): void {
    const isFirst = !this.#isListening;
    this.#isListening = true;
    this.#events = events;
    if (!isFirst) return;
    this.#socket.on("data", (chunk: Buffer) => this.#read(chunk));
    this.#socket.on("end", () => this.#finish(undefined));
    this.#socket.on("close", () => this.#finish(undefined));
  }

  send(message: unknown): Promise<void> {
    if (!this.#socket.writable || this.#socket.writableLength > MAX_UNSENT_BYTES) return Promise.resolve();
    return new Promise((resolve) => this.#socket.write(`${JSON.stringify(message)}\n`, () => resolve()));
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.#count(chunk.length);
    let start = 0;
    // `#finish` ends the loop, so a flood is not read to its end.
    for (let end = chunk.indexOf("\n"); end !== -1 && this.#events; end = chunk.indexOf("\n", start)) {
      const line = Buffer.concat([...this.#pieces, chunk.subarray(start, end)]);
      this.#pieces = [];
      this.#pieceBytes = 0;
      start = end + 1;
      if (this.#mayDeliver()) this.#events.onMessage(parse(line));
    }
    if (this.#events) this.#keep(chunk.subarray(start));
  }

  #keep(piece: Buffer): void {
    if (piece.length === 0) return;
    this.#pieces.push(piece);
    this.#pieceBytes += piece.length;
    if (this.#isBounded && this.#pieceBytes > MAX_LINE_BYTES) {
      this.#finish(`it sent a message of more than ${MAX_LINE_BYTES} bytes`);
    }
  }

  #count(bytes: number): void {
    const now = performance.now();
    if (now - this.#thisSecond.startedAt >= 1000) this.#thisSecond = { startedAt: now, bytes: 0, messages: 0 };
    this.#thisSecond.bytes += bytes;
    if (this.#isBounded && this.#thisSecond.bytes > MAX_BYTES_PER_SECOND) {
      this.#finish(`it sent more than ${MAX_BYTES_PER_SECOND} bytes within a second`);
    }
  }

  #mayDeliver(): boolean {
    this.#thisSecond.messages += 1;
    if (!this.#isBounded || this.#thisSecond.messages <= MAX_MESSAGES_PER_SECOND) return true;
    this.#finish(`it sent more than ${MAX_MESSAGES_PER_SECOND} messages within a second`);
    return false;
  }

  #finish(flood: string | undefined): void {
    const events = this.#events;
    if (!events) return;
    // Clear the field first: `destroy()` emits `close`, which calls this method again.
    this.#events = undefined;
    this.#pieces = [];
    this.#socket.destroy();
    events.onClose(flood);
  }
}

function parse(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString("utf8")) as unknown;
  } catch {
    return undefined;
  }
}
