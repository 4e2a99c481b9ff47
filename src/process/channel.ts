/**
 * The line between a process and one child: JSON, one message a line, over a socket pair that both inherit. The
 * primary opens one for each child (`fork.ts`), an agent process one for each process of a tool. The child finds its
 * end at CHANNEL_FD.
 *
 * Not Node's own IPC: `process.send` is open to every tool, Node gathers a message without a bound, and some messages
 * (`{ cmd: "NODE_HANDLE_ACK" }`, a line that is no JSON) end the process that receives them.
 */
import type { Duplex } from "node:stream";

// Kept from before any tool was loaded: in a tool's process, the tool may replace globals.
const { parse: parseJson, stringify } = JSON;

/** File descriptor of the child's end. */
export const CHANNEL_FD = 3;

/** What may come in. A sender that goes beyond is given up. */
export interface ChannelLimits {
  readonly maxLineBytes: number;
  readonly bytesASecond: number;
  readonly messagesASecond: number;
}

/**
 * For children of the primary. A heartbeat has about 1 KB, the settings have a few. The backlog after a pause of the
 * primary is smaller than `bytesASecond`: the kernel holds some 200 KB for each child, and a child sends no heartbeat
 * while an earlier one waits (`heartbeat.ts`).
 */
export const CHILD_LIMITS: ChannelLimits = {
  maxLineBytes: 64 * 1024,
  bytesASecond: 1024 * 1024,
  messagesASecond: 1_000,
};

/** Bytes that are kept for a process that does not read. Above this bound messages are dropped. */
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
  /** Resolves when the message is written (true), or can no longer be written. */
  send(message: unknown): Promise<boolean>;
  /** Idempotent. */
  close(): void;
}

export interface ChannelOptions {
  /** Limits of incoming messages. A parent limits its children; a child trusts its parent. */
  readonly limits?: ChannelLimits;
}

export class SocketChannel implements Channel {
  readonly #socket: Duplex;
  readonly #limits: ChannelLimits | undefined;
  // The pieces of a line that has not ended. At most `maxLineBytes` when limited.
  #pieces: Buffer[] = [];
  #pieceBytes = 0;
  #thisSecond = { startedAt: performance.now(), bytes: 0, messages: 0 };
  #isListening = false;
  #events: ChannelEvents | undefined;

  constructor(socket: Duplex, { limits }: ChannelOptions = {}) {
    this.#socket = socket;
    this.#limits = limits;
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

  send(message: unknown): Promise<boolean> {
    if (!this.#socket.writable || this.#socket.writableLength > MAX_UNSENT_BYTES) return Promise.resolve(false);
    return new Promise((resolve) => this.#socket.write(`${stringify(message)}\n`, (error) => resolve(!error)));
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
    const { maxLineBytes = Infinity } = this.#limits ?? {};
    if (this.#pieceBytes > maxLineBytes) this.#finish(`it sent a message of more than ${maxLineBytes} bytes`);
  }

  #count(bytes: number): void {
    const now = performance.now();
    if (now - this.#thisSecond.startedAt >= 1000) this.#thisSecond = { startedAt: now, bytes: 0, messages: 0 };
    this.#thisSecond.bytes += bytes;
    const { bytesASecond = Infinity } = this.#limits ?? {};
    if (this.#thisSecond.bytes > bytesASecond) this.#finish(`it sent more than ${bytesASecond} bytes within a second`);
  }

  #mayDeliver(): boolean {
    this.#thisSecond.messages += 1;
    const { messagesASecond = Infinity } = this.#limits ?? {};
    if (this.#thisSecond.messages <= messagesASecond) return true;
    this.#finish(`it sent more than ${messagesASecond} messages within a second`);
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
    return parseJson(line.toString("utf8")) as unknown;
  } catch {
    return undefined;
  }
}
