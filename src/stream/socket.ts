/**
 * WebSockets (RFC 6455) as delivery sees them: text frames out, backpressure of the socket below, pings, and
 * the set of all that are open in this worker. What clients say is read in `worker/socket/`.
 */
import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import { customEvent } from "../core/event.ts";
import type { Frame } from "./frame.ts";
import type { DeliveryMeter } from "./meter.ts";
import { Outflow } from "./outflow.ts";
import type { Sink } from "./viewer.ts";

/** Whoever was not heard of between two pings is gone: a half-open connection ends after 15 to 30 s. */
const PING_MS = 15_000;

/** RFC 6455 § 7.4.1, and 1013 of the IANA registry. */
export const CLOSE = { goingAway: 1001, notText: 1003, slow: 1013 } as const;

const DRAINS = "this process drains; connect again and resume";

export interface SocketStreamOptions {
  readonly meter: DeliveryMeter;
  readonly slowClientMs: number;
  /** It takes nothing more, whoever closes it. May come twice: when we begin to close, and when it is closed. */
  readonly onClose: () => void;
}

export class SocketStream {
  readonly #ws: WebSocket;
  /** The TCP socket below: its buffer is the only one, as `ws` has none of its own without compression. */
  readonly #tcp: Socket;
  readonly #outflow: Outflow;
  readonly #onClose: () => void;
  #heard = true;

  constructor(ws: WebSocket, tcp: Socket, { meter, slowClientMs, onClose }: SocketStreamOptions) {
    this.#ws = ws;
    this.#tcp = tcp;
    this.#onClose = onClose;
    const onSlow = () => this.close(CLOSE.slow, `took nothing for ${slowClientMs} ms; connect again and resume`);
    this.#outflow = new Outflow(tcp, { meter, slowClientMs, onSlow });
    ws.on("ping", (data) => this.#onPing(data));
    ws.on("pong", () => (this.#heard = true));
    ws.on("message", () => (this.#heard = true));
    ws.on("close", onClose);
  }

  get full(): boolean {
    return this.#outflow.full || this.#ws.readyState !== this.#ws.OPEN;
  }

  onDrain(resume: () => void): void {
    this.#outflow.onDrain(resume);
  }

  send(message: object): void {
    this.#send(JSON.stringify(message));
  }

  /** Where the frames of subscription `id` go. */
  sinkOf(id: string): Sink {
    const head = `{"id":${JSON.stringify(id)},`;
    // eslint-disable-next-line typescript/no-this-alias -- a getter of the sink asks the socket
    const socket = this;
    return {
      get full() {
        return socket.full;
      },
      write: (frames) => this.#write(head, frames),
      gap: (after, next) =>
        this.#send(`${head}"event":${JSON.stringify(customEvent("evenkeel.gap", { after, next }))}}`),
      onDrain: (resume) => this.onDrain(resume),
    };
  }

  ping(): void {
    // What does not read does not answer either; how long it may stay so, the outflow knows.
    if (this.full) return;
    if (!this.#heard) return this.#ws.terminate();
    this.#heard = false;
    this.#ws.ping();
  }

  /** The close frame goes out behind what is buffered; whoever does not answer it is cut off by `ws`. */
  close(code: number, reason: string): void {
    this.#ws.close(code, reason);
    // The closing handshake takes as long as the client wants: nothing is kept for it meanwhile.
    this.#onClose();
  }

  #write(head: string, frames: readonly Frame[]): void {
    // One system call for all of them.
    this.#tcp.cork();
    for (const { seq, json } of frames) this.#ws.send(`${head}"seq":${seq},"event":${json}}`);
    this.#tcp.uncork();
    this.#outflow.wrote();
  }

  #send(text: string): void {
    this.#ws.send(text);
    this.#outflow.wrote();
  }

  /** RFC 6455 § 5.5.3 lets us leave pings out: those of a client that takes no answers must not pile up. */
  #onPing(data: Buffer): void {
    this.#heard = true;
    if (!this.full) this.#ws.pong(data);
  }
}

export class Sockets {
  readonly #meter: DeliveryMeter;
  readonly #slowClientMs: number;
  // Bounded by the connections of this worker.
  readonly #open = new Set<SocketStream>();
  readonly #pinger = setInterval(() => this.#ping(), PING_MS);
  #stopped = false;

  constructor(meter: DeliveryMeter, slowClientMs: number) {
    this.#meter = meter;
    this.#slowClientMs = slowClientMs;
  }

  get size(): number {
    return this.#open.size;
  }

  /** @param tcp the socket that `ws` was made on; `onClose` as in `SocketStreamOptions` */
  open(ws: WebSocket, tcp: Socket, onClose: () => void): SocketStream {
    const stream = new SocketStream(ws, tcp, { meter: this.#meter, slowClientMs: this.#slowClientMs, onClose });
    this.#open.add(stream);
    ws.on("close", () => this.#open.delete(stream));
    // Upgraded on a connection that was open when the drain began.
    if (this.#stopped) stream.close(CLOSE.goingAway, DRAINS);
    return stream;
  }

  /** Clients connect again, to a process that serves, and resume. Idempotent. */
  stop(): void {
    this.#stopped = true;
    clearInterval(this.#pinger);
    for (const stream of this.#open) stream.close(CLOSE.goingAway, DRAINS);
  }

  #ping(): void {
    for (const stream of this.#open) stream.ping();
  }
}
