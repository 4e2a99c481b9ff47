/**
 * Many SSE clients at once over raw node:http: opens them, counts the tokens that arrive, and closes them. Some never
 * read: their sockets are paused as soon as the request is sent. Runs in a process of its own.
 */
import { Agent, request, type ClientRequest } from "node:http";
import { connect, type Socket } from "node:net";
import { serveJobs } from "../lib/jobs.ts";
import { sleep } from "../lib/wait.ts";

export type StreamsJob =
  | ({ readonly op: "open" } & OpenStreams)
  /** Resolves with the counts since the start, or since the last close. */
  | { readonly op: "count" }
  | { readonly op: "close" };

export interface OpenStreams {
  readonly base: string;
  readonly path: string;
  /** `STREAM_ID` in it becomes another id for each stream. */
  readonly body: object;
  readonly streams: number;
  /** Paused after the request, never read. */
  readonly mute?: boolean;
  /** Number of streams that are opened at a time, because a burst would measure the backlog. */
  readonly atOnce?: number;
}

export interface StreamCounts {
  /** Streams that are open. */
  readonly open: number;
  /** Streams that got at least one token. */
  readonly speaking: number;
  readonly tokens: number;
  /** Refused, or ended by the server. */
  readonly ended: number;
}

/** What the simulated model sends for every token: tok1, tok2 … */
const TOKEN = "tok";
const OPEN_TIMEOUT_MS = 60_000;

class Streams {
  readonly #agent = new Agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY });
  // Bounded by what the bench asks for.
  readonly #requests = new Set<ClientRequest>();
  readonly #mute = new Set<Socket>();
  #speaking = 0;
  #tokens = 0;
  #ended = 0;
  #opened = 0;

  async open(options: OpenStreams): Promise<void> {
    const { streams, mute = false, atOnce = 50 } = options;
    for (let opened = 0; opened < streams; opened += atOnce) {
      const batch = Array.from({ length: Math.min(atOnce, streams - opened) });
      if (mute) for (const _ of batch) this.#openMute(options);
      else await Promise.all(batch.map(() => this.#openOne(options)));
    }
  }

  count(): StreamCounts {
    const { size: open } = this.#requests;
    return { open, speaking: this.#speaking, tokens: this.#tokens, ended: this.#ended };
  }

  async close(): Promise<void> {
    for (const request of this.#requests) request.destroy();
    for (const socket of this.#mute) socket.destroy();
    this.#requests.clear();
    this.#mute.clear();
    await sleep(50);
    [this.#speaking, this.#tokens, this.#ended] = [0, 0, 0];
  }

  /** Resolves with the response's headers: the server has taken it. */
  #openOne({ base, path, body }: OpenStreams): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const headers = { "content-type": "application/json", accept: "text/event-stream" };
    const sent = request(base + path, { method: "POST", agent: this.#agent, headers, timeout: OPEN_TIMEOUT_MS });
    this.#requests.add(sent);
    const lose = () => {
      if (this.#requests.delete(sent)) this.#ended += 1;
    };
    sent.on("response", (response) => {
      if (response.statusCode !== 200) reject(new Error(`Expected 200 from ${path}, got ${response.statusCode}.`));
      this.#countTokens(response.setEncoding("utf8"));
      response.on("end", lose).on("error", lose);
      resolve();
    });
    sent.on("error", (error) => {
      lose();
      reject(error);
    });
    sent.on("timeout", () => sent.destroy(new Error(`${path} was silent for ${OPEN_TIMEOUT_MS} ms.`)));
    sent.end(this.#textOf(body));
    return promise;
  }

  #textOf(body: object): string {
    this.#opened += 1;
    return JSON.stringify(body).replaceAll("STREAM_ID", `${process.pid}-${this.#opened}`);
  }

  #countTokens(response: NodeJS.ReadableStream): void {
    let spoke = false;
    let tail = "";
    response.on("data", (chunk: string) => {
      const text = tail + chunk;
      let tokens = 0;
      for (let at = text.indexOf(TOKEN); at >= 0; at = text.indexOf(TOKEN, at + TOKEN.length)) tokens += 1;
      // The end of a chunk may cut a token; the kept rest is too short to hold a whole token.
      tail = text.slice(1 - TOKEN.length);
      this.#tokens += tokens;
      if (spoke || tokens === 0) return;
      spoke = true;
      this.#speaking += 1;
    });
  }

  #openMute({ base, path, body }: OpenStreams): void {
    const { hostname, port, host } = new URL(base);
    const text = this.#textOf(body);
    const socket = connect({ host: hostname, port: Number(port) });
    socket.pause();
    this.#mute.add(socket);
    // The server may close a client that does not read.
    socket.on("error", () => {});
    socket.write(
      `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
    );
  }
}

const streams = new Streams();

serveJobs(async (job: StreamsJob) => {
  if (job.op === "open") return streams.open(job);
  if (job.op === "close") return streams.close();
  return streams.count();
});
