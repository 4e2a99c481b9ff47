/** A client of `/ws` for tests: sends requests, sorts what comes back by id, and can stop reading. */
import { once } from "node:events";
import type { Socket } from "node:net";
import { WebSocket, type ClientOptions } from "ws";

/** One frame of the server, with the fields that tests ask for by name. */
export interface SocketFrame {
  readonly id: string | null;
  readonly ok?: boolean;
  readonly done?: boolean;
  readonly seq?: number;
  readonly event?: { readonly type?: string; readonly seq?: number; readonly [field: string]: unknown };
  readonly error?: { readonly code: string; readonly detail: string };
  readonly [field: string]: unknown;
}

export interface ConnectOptions extends ClientOptions {
  readonly protocols?: readonly string[];
}

export class SocketClient implements AsyncDisposable {
  readonly ws: WebSocket;
  readonly frames: SocketFrame[] = [];
  /** The close code, once it is closed. */
  readonly closed: Promise<number>;
  readonly #wake = new Set<() => void>();
  #ids = 0;

  /** Use `connect`. */
  constructor(ws: WebSocket) {
    this.ws = ws;
    this.closed = new Promise((resolve) => ws.once("close", resolve));
    ws.on("message", (data: Buffer) => {
      this.frames.push(JSON.parse(data.toString()) as SocketFrame);
      this.#tell();
    });
    ws.once("close", () => this.#tell());
    // A refusal or a reset is reported in `closed`, so the error needs no handling here.
    ws.on("error", () => {});
  }

  /** @param url as the HTTP client has it: `http://127.0.0.1:PORT`. Rejects when the upgrade is refused. */
  static async connect(url: string, { protocols = [], ...options }: ConnectOptions = {}): Promise<SocketClient> {
    const ws = new WebSocket(`${url.replace("http", "ws")}/ws`, [...protocols], options);
    const client = new SocketClient(ws);
    await once(ws, "open");
    return client;
  }

  /** Sends a request, under a new id unless it has one, and waits for nothing. @returns the id */
  send(request: { readonly id?: string; readonly [field: string]: unknown }): string {
    const id = request.id ?? `t${(this.#ids += 1)}`;
    this.ws.send(JSON.stringify({ ...request, id }));
    return id;
  }

  /** The first answer to a request: `ok` or `error`. */
  async ask(request: Parameters<SocketClient["send"]>[0]): Promise<SocketFrame> {
    return this.answerTo(this.send(request));
  }

  answerTo(id: string): Promise<SocketFrame> {
    const from = this.frames.length;
    const isAnswer = (frame: SocketFrame) => frame.id === id && (frame.ok !== undefined || frame.error !== undefined);
    return this.until((frame) => isAnswer(frame) && this.frames.indexOf(frame) >= from);
  }

  /** Subscribes to a run and waits for its last event. @returns the events in the order they came */
  async readRun(runId: string, after?: number): Promise<SocketFrame[]> {
    const id = this.send({ op: "subscribe", channel: "run", run_id: runId, ...(after !== undefined && { after }) });
    await this.until((frame) => frame.id === id && (frame.done === true || frame.error !== undefined));
    return this.eventsOf(id);
  }

  eventsOf(id: string): SocketFrame[] {
    return this.frames.filter((frame) => frame.id === id && frame.event !== undefined);
  }

  /** The first frame, come or to come, that `matches`. Rejects when the socket closes before. */
  async until(matches: (frame: SocketFrame) => boolean): Promise<SocketFrame> {
    for (let seen = 0; ;) {
      for (; seen < this.frames.length; seen += 1) {
        const frame = this.frames[seen];
        if (frame && matches(frame)) return frame;
      }
      if (this.ws.readyState === WebSocket.CLOSED) throw new Error("The socket closed before the frame came.");
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake.add(resolve);
      await promise;
    }
  }

  /** The TCP socket below, to stop reading or to break. */
  get tcp(): Socket {
    return (this.ws as unknown as { _socket: Socket })._socket;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.ws.terminate();
    await this.closed;
  }

  #tell(): void {
    for (const wake of this.#wake) wake();
    this.#wake.clear();
  }
}
