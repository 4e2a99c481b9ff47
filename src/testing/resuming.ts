/**
 * A viewer that loses its connection over and over and resumes behind the last event it saw, over SSE or the
 * WebSocket. It checks the server's promise: the next event has the next seq. Called by tests.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "./client.ts";
import { SocketClient } from "./socket.ts";
import { readSse } from "./sse.ts";

export type Transport = "sse" | "socket";

/** ended: the run's last event was seen; left: the client disconnected; cut: the connection broke, or was refused. */
export type Outcome = "ended" | "left" | "cut";

export interface ResumingOptions {
  readonly client: Client;
  readonly runId: string;
  readonly transport: Transport;
}

const AGAIN_MS = 25;
// A server that is away for longer than 10 s will not come back.
const MAX_REFUSALS = 400;
const BROKEN = "The connection broke.";
const CUT = new RegExp(`terminated|fetch failed|ECONNREFUSED|ECONNRESET|EPIPE|socket hang up|${BROKEN}`);

export class ResumingViewer {
  /** Every event as it came, byte for byte. */
  readonly seen: string[] = [];
  /** How often the connection broke without this viewer's doing. */
  cuts = 0;
  ended = false;
  readonly #options: ResumingOptions;
  #refusals = 0;

  constructor(options: ResumingOptions) {
    this.#options = options;
  }

  /**
   * Connects, and reads until the run ends, the connection breaks, or `leaves`, which is called after each event,
   * returns true.
   */
  async readOn(leaves: () => boolean): Promise<Outcome> {
    const before = this.seen.length;
    try {
      return this.#options.transport === "sse" ? await this.#readSse(leaves) : await this.#readSocket(leaves);
    } catch (error) {
      if (!CUT.test(textOf(error))) throw error;
      this.cuts += 1;
      this.#refusals = this.seen.length > before ? 0 : this.#refusals + 1;
      if (this.#refusals > MAX_REFUSALS) throw error;
      await delay(AGAIN_MS);
      return "cut";
    }
  }

  get #last(): number {
    return this.seen.length;
  }

  async #readSse(leaves: () => boolean): Promise<Outcome> {
    const { client, runId } = this.#options;
    const headers: Record<string, string> = this.#last > 0 ? { "Last-Event-ID": String(this.#last) } : {};
    for await (const { data } of readSse(await client.follow(runId, headers), this.#last)) {
      this.#take(data);
      if (leaves()) return this.ended ? "ended" : "left";
    }
    if (this.ended) return "ended";
    throw new Error("The server ended the stream without its last event.");
  }

  async #readSocket(leaves: () => boolean): Promise<Outcome> {
    const { client, runId } = this.#options;
    await using socket = await SocketClient.connect(client.url);
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    let over = false;
    const finish = (outcome: Outcome) => {
      over = true;
      resolve(outcome);
    };
    socket.ws.on("message", (frame: Buffer) => {
      if (over) return;
      const text = frame.toString();
      if (text.includes('"done":true')) return finish("ended");
      const { seq, error } = JSON.parse(text) as { seq?: number; error?: object };
      if (error) reject(new Error(`Refused: ${text}`));
      if (!text.includes('"event":')) return;
      if (seq !== this.#last + 1) reject(new Error(`Expected seq ${this.#last + 1}, got ${text.slice(0, 200)}`));
      this.#take(text.slice(text.indexOf('"event":') + '"event":'.length, -1));
      if (leaves()) finish(this.ended ? "ended" : "left");
    });
    socket.ws.once("close", (code: number) => reject(new Error(code === 1006 ? BROKEN : `Closed with ${code}.`)));
    socket.send({ op: "subscribe", channel: "run", run_id: runId, after: this.#last });
    return await promise;
  }

  #take(data: string): void {
    this.seen.push(data);
    this.ended = data.includes('"type":"RUN_FINISHED"') || data.includes('"type":"RUN_ERROR"');
  }
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // fetch has the reason in `cause`; a refused socket has it in its code.
  const { code = "" } = error as NodeJS.ErrnoException;
  return `${error.message} ${code} ${error.cause === undefined ? "" : textOf(error.cause)}`;
}
