/**
 * One WebSocket (RFC 6455) as delivery sees it: text frames out, backpressure of the socket below, pings. The
 * client's messages are read in `worker/socket/`.
 */
import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import { customEvent } from "../core/event.ts";
import type { Frame } from "./frame.ts";
import { Outflow, type OutflowLimits } from "./outflow.ts";
import type { OpenSink } from "./viewer.ts";
import { toJson } from "../core/json.ts";

/** RFC 6455 § 7.4.1, and 1013 of the IANA registry. */
export const CLOSE = { goingAway: 1001, notText: 1003, slow: 1013 } as const;

export class SocketStream {
  readonly #ws: WebSocket;
  /**
   * The TCP socket below. Its buffer is the only one, because `ws` without compression has no buffer of its
   * own.
   */
  readonly #tcp: Socket;
  readonly #outflow: Outflow;
  readonly #onClose = new Set<() => void>();
  // Bytes that the client had sent when it was last pinged.
  #heardBytes = -1;

  constructor(ws: WebSocket, tcp: Socket, limits: OutflowLimits) {
    // Frames bypass `ws`, so no extension may be active: it would change frames, or hold some back in its own
    // queue.
    if (ws.extensions !== "") throw new Error(`Expected a WebSocket without extensions, got "${ws.extensions}".`);
    this.#ws = ws;
    this.#tcp = tcp;
    const onSlow = () => this.close(CLOSE.slow, `took nothing for ${limits.slowClientMs} ms; resume on a new socket`);
    this.#outflow = new Outflow(tcp, { ...limits, tcp: () => tcp, onSlow });
    ws.on("ping", (data) => this.#onPing(data));
    ws.on("close", () => this.#closed());
  }

  get full(): boolean {
    return this.#outflow.full || this.#ws.readyState !== this.#ws.OPEN;
  }

  onDrain(resume: () => void): void {
    this.#outflow.onDrain(resume);
  }

  /**
   * Calls back once when the socket closes, on either side. If we close it, the call comes before the closing
   * handshake; if that has begun already, it comes at once.
   */
  onClose(listener: () => void): void {
    if (this.#ws.readyState === this.#ws.OPEN) this.#onClose.add(listener);
    else listener();
  }

  send(message: object): void {
    this.#send(toJson(message));
  }

  /** The sink for the frames of subscription `id`. */
  sinkOf(id: string): OpenSink {
    const head = `{"id":${toJson(id)},`;
    // eslint-disable-next-line typescript/no-this-alias -- a getter of the sink asks the socket
    const socket = this;
    const tell = (event: object) => this.#send(`${head}"event":${JSON.stringify(event)}}`);
    return {
      get full() {
        return socket.full;
      },
      write: (frames) => this.#write(head, frames),
      tell,
      gap: (after, next) => tell(customEvent("evenkeel.gap", { after, next })),
      onDrain: (resume) => this.onDrain(resume),
    };
  }

  /**
   * A client that was not heard of between two pings is gone: a half-open connection ends after one or two pings. Bytes
   * count, not messages: a client cannot answer while it is in the middle of a long message. A client that
   * reads so slowly that the kernel still holds our ping after 15 s looks like a half-open connection, and is
   * closed too.
   */
  ping(): void {
    // A client that does not read cannot answer, and we do not hear a client that we do not read. Other code
    // limits how long either may last.
    if (this.full || this.#ws.isPaused) return;
    const { bytesRead } = this.#tcp;
    if (bytesRead === this.#heardBytes) return this.#ws.terminate();
    this.#heardBytes = bytesRead;
    this.#ws.ping();
    this.#outflow.wrote();
  }

  leave(): void {
    this.close(CLOSE.goingAway, "this process drains; resume on a new socket");
  }

  /** Sends the close frame after the buffered frames. `ws` cuts a client that does not answer it. Idempotent. */
  close(code: number, reason: string): void {
    this.#ws.close(code, reason);
    // The client decides how long the handshake takes, so keep nothing for it meanwhile.
    this.#closed();
  }

  #closed(): void {
    for (const listener of this.#onClose) listener();
    this.#onClose.clear();
  }

  /**
   * Writes bypass `ws`, which would serialise every frame again for each socket. `ws` has no queue that these
   * writes could overtake.
   */
  #write(head: string, frames: readonly Frame[]): void {
    // One system call for all of them. (For a single one, corking costs more than it saves.)
    const isBatch = frames.length > 1;
    if (isBatch) this.#tcp.cork();
    for (const frame of frames) this.#tcp.write(frame.textMessage(head));
    if (isBatch) this.#tcp.uncork();
    this.#outflow.wrote();
  }

  #send(text: string): void {
    this.#ws.send(text);
    this.#outflow.wrote();
  }

  /** RFC 6455 § 5.5.3 lets us leave pings out: those of a client that takes no answers must not pile up. */
  #onPing(data: Buffer): void {
    if (this.full) return;
    this.#ws.pong(data);
    this.#outflow.wrote();
  }
}
