/**
 * Clients that read a run to its end over any number of connections: the published client's stream, and a WebSocket.
 * Each resumes after the last event that it has; `drop` cuts all of them at once.
 */
import { setTimeout as delay } from "node:timers/promises";
import { WebSocket } from "ws";
import type { Evenkeel } from "../src/client/client.ts";

const AGAIN_MS = 200;
/** Time limit of a silent connection; a live server pings. */
const SILENT_MS = 60_000;

export class Viewers {
  /** How often a connection ended before its run. */
  resumed = 0;
  readonly #url: string;
  readonly #client: Evenkeel;
  readonly #giveUp: AbortSignal;
  #dropping = new AbortController();

  /** @param giveUp aborted when the wait must end */
  constructor(url: string, client: Evenkeel, giveUp: AbortSignal) {
    this.#url = url;
    this.#client = client;
    this.#giveUp = giveUp;
  }

  drop(): void {
    const dropped = this.#dropping;
    this.#dropping = new AbortController();
    dropped.abort(new Error("dropped"));
  }

  /** @returns the events that it saw, up to the run's end if possible */
  async read(runId: string, over: "stream" | "socket"): Promise<string[]> {
    const seen: string[] = [];
    while (!this.#giveUp.aborted) {
      const signal = AbortSignal.any([this.#dropping.signal, this.#giveUp]);
      const isOver = await (over === "stream" ? this.#stream(runId, seen, signal) : this.#socket(runId, seen, signal));
      if (isOver) break;
      this.resumed += 1;
      await delay(AGAIN_MS);
    }
    return seen;
  }

  async #stream(runId: string, seen: string[], signal: AbortSignal): Promise<boolean> {
    try {
      for await (const event of this.#client.follow(runId, { after: seen.length, signal }))
        seen.push(JSON.stringify(event));
      return true;
    } catch {
      return false;
    }
  }

  #socket(runId: string, seen: string[], signal: AbortSignal): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const socket = new WebSocket(`${this.#url.replace("http", "ws")}/ws`, { handshakeTimeout: SILENT_MS });
    const end = (isOver: boolean) => {
      signal.removeEventListener("abort", onAbort);
      socket.terminate();
      resolve(isOver);
    };
    const onAbort = () => end(false);
    signal.addEventListener("abort", onAbort, { once: true });
    socket.on("open", () =>
      socket.send(JSON.stringify({ op: "subscribe", id: "1", channel: "run", run_id: runId, after: seen.length })),
    );
    socket.on("message", (frame: Buffer) => {
      const { event, done, error } = JSON.parse(frame.toString()) as { event?: object; done?: boolean; error?: object };
      if (event) seen.push(JSON.stringify(event));
      if (done) end(true);
      else if (error) end(false);
    });
    socket.on("error", () => end(false));
    socket.on("close", () => end(false));
    return promise;
  }
}
