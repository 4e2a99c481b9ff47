/**
 * Many viewers at once, each over a WebSocket or an event stream of its own. They count what arrives and how
 * old it is, notice every hole and repeat, and can all be dropped in one moment and resume. Runs in a process
 * of its own.
 */
import { get, type ClientRequest } from "node:http";
import { WebSocket } from "ws";
import { serveJobs } from "../lib/jobs.ts";
import { percentile } from "../lib/stats.ts";

export type Transport = "socket" | "stream";

export type Channel =
  | { readonly channel: "run"; readonly run_id: string }
  | { readonly channel: "activities" | "processes" };

export type ViewersJob =
  | ({ readonly op: "open" } & OpenViewers)
  /** Resolves with the counts since the last call. */
  | { readonly op: "take" }
  /** Breaks all connections at once and connects again at once. Resolves with how long each took, in ms. */
  | { readonly op: "drop" }
  /** Resolves with how many activities up to this one have not arrived, over all viewers. */
  | { readonly op: "missing"; readonly newest: number }
  | { readonly op: "close" };

export interface OpenViewers {
  readonly base: string;
  readonly transport: Transport;
  /** One viewer each; a stream has one channel, a run. */
  readonly viewers: readonly (readonly Channel[])[];
}

export interface Seen {
  readonly frames: number;
  /** Time from the append of a run's event to its arrival here, in ms. */
  readonly p50: number;
  readonly p99: number;
  /** Holes and repeats. */
  readonly faults: number;
  /** Connections that broke, or that the server closed. */
  readonly lost: number;
  readonly open: number;
}

const OPENED_AT_ONCE = 50;
const TIMESTAMP = '"timestamp":';

/** The counts of all viewers together. */
const tally = { frames: 0, faults: 0, lost: 0, agesMs: [] as number[] };

/** The position of one viewer in one channel. */
class Cursor {
  readonly channel: Channel;
  /** The last seq that came; before the first, where the subscription began. */
  last = 0;
  began = 0;
  count = 0;

  constructor(channel: Channel) {
    this.channel = channel;
  }

  take(seq: number, text: string): void {
    tally.frames += 1;
    this.count += 1;
    // Numbers of activities skip when a thread is deleted, which the bench does not do.
    if (this.channel.channel !== "processes" && this.last > 0 && seq !== this.last + 1) tally.faults += 1;
    this.last = seq;
    if (this.channel.channel !== "run") return;
    const from = text.indexOf(TIMESTAMP) + TIMESTAMP.length;
    tally.agesMs.push(performance.timeOrigin + performance.now() - Number.parseInt(text.slice(from, from + 16), 10));
  }
}

abstract class Connection {
  readonly base: string;
  readonly cursors: readonly Cursor[];
  /** Called with the next frame that comes. */
  onFrame = (): void => {};

  constructor(base: string, channels: readonly Channel[]) {
    this.base = base;
    this.cursors = channels.map((channel) => new Cursor(channel));
  }

  /** Resolves when the server has accepted the connection. Continues after the last seq that arrived. */
  abstract connect(): Promise<void>;
  abstract get isOpen(): boolean;
  abstract drop(): void;
}

class SocketConnection extends Connection {
  #ws: WebSocket | undefined;

  connect(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const ws = new WebSocket(`${this.base.replace("http", "ws")}/ws`);
    this.#ws = ws;
    let waitingFor = this.cursors.length;
    ws.on("open", () => {
      for (const [index, { channel, last }] of this.cursors.entries())
        ws.send(JSON.stringify({ op: "subscribe", id: String(index), ...channel, ...(last > 0 && { after: last }) }));
    });
    ws.on("message", (data: Buffer) => {
      const text = data.toString();
      const cursor = this.cursors[Number(text.slice(7, text.indexOf('"', 7)))];
      const seq = Number.parseInt(text.slice(text.indexOf('"seq":') + 6), 10);
      if (text.includes('"event":', 8)) {
        cursor?.take(seq, text);
        return this.onFrame();
      }
      if (text.includes('"error":')) return reject(new Error(text));
      if (!text.includes('"ok":') || !cursor) return;
      if (cursor.last === 0 && cursor.channel.channel === "activities") [cursor.last, cursor.began] = [seq, seq];
      waitingFor -= 1;
      if (waitingFor === 0) resolve();
    });
    ws.on("error", reject);
    ws.on("close", () => {
      if (this.#ws !== ws) return;
      this.#ws = undefined;
      tally.lost += 1;
    });
    return promise;
  }

  get isOpen(): boolean {
    return this.#ws?.readyState === WebSocket.OPEN;
  }

  drop(): void {
    const ws = this.#ws;
    this.#ws = undefined;
    ws?.terminate();
  }
}

class StreamConnection extends Connection {
  #request: ClientRequest | undefined;

  connect(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const [cursor] = this.cursors;
    if (cursor?.channel.channel !== "run") throw new Error("A stream has one channel, a run.");
    const url = `${this.base}/api/runs/${cursor.channel.run_id}/events?after=${cursor.last}`;
    const request = get(url, { agent: false, headers: { accept: "text/event-stream" } }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`Expected 200 from ${url}, got ${response.statusCode}.`));
      resolve();
      let rest = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        const blocks = (rest + chunk).split("\n\n");
        rest = blocks.pop() ?? "";
        for (const block of blocks)
          if (block.startsWith("id: ")) cursor.take(Number.parseInt(block.slice(4), 10), block);
        this.onFrame();
      });
      response.on("error", () => {});
    });
    this.#request = request;
    request.on("error", reject);
    request.on("close", () => {
      if (this.#request !== request) return;
      this.#request = undefined;
      tally.lost += 1;
    });
    return promise;
  }

  get isOpen(): boolean {
    return this.#request !== undefined;
  }

  drop(): void {
    const request = this.#request;
    this.#request = undefined;
    request?.destroy();
  }
}

const connections: Connection[] = [];

async function open({ base, transport, viewers }: OpenViewers): Promise<void> {
  const Kind = transport === "socket" ? SocketConnection : StreamConnection;
  for (let opened = 0; opened < viewers.length; opened += OPENED_AT_ONCE) {
    const batch = viewers.slice(opened, opened + OPENED_AT_ONCE).map((channels) => new Kind(base, channels));
    connections.push(...batch);
    await Promise.all(batch.map((connection) => connection.connect()));
  }
}

function take(): Seen {
  const { frames, faults, lost, agesMs } = tally;
  const open = connections.filter(({ isOpen }) => isOpen).length;
  const seen = { frames, faults, lost, open, p50: percentile(agesMs, 50), p99: percentile(agesMs, 99) };
  Object.assign(tally, { frames: 0, faults: 0, lost: 0, agesMs: [] });
  return seen;
}

async function drop(): Promise<number[]> {
  for (const connection of connections) connection.drop();
  const droppedAt = performance.now();
  const resumed = connections.map(async (connection) => {
    const heard = new Promise<void>((resolve) => (connection.onFrame = resolve));
    await connection.connect();
    await heard;
    return performance.now() - droppedAt;
  });
  return Promise.all(resumed);
}

function missing(newest: number): number {
  const cursors = connections.flatMap(({ cursors }) =>
    cursors.filter(({ channel }) => channel.channel === "activities"),
  );
  return cursors.reduce((total, { began, count }) => total + (newest - began) - count, 0);
}

serveJobs(async (job: ViewersJob) => {
  if (job.op === "open") return open(job);
  if (job.op === "take") return take();
  if (job.op === "drop") return drop();
  if (job.op === "missing") return missing(job.newest);
  for (const connection of connections.splice(0)) connection.drop();
  take();
  return undefined;
});
