/**
 * What the simulator's tests share: a fast simulator with a client, and readers of its raw wire.
 * Called by *.test.ts only. Every wait here ends with an event of the simulator; none is a sleep.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import Anthropic from "@anthropic-ai/sdk";
import type { RequestRecord } from "./ledger.ts";
import { type Simulator, startSimulator } from "./server.ts";

export interface Fixture extends AsyncDisposable {
  readonly simulator: Simulator;
  readonly client: Anthropic;
  /** POST /v1/messages with `fields` over a minimal streaming request. */
  post(fields?: object): Promise<Response>;
  /** The events of a streamed answer to one user message. */
  events(content: string, fields?: object): Promise<SseEvent[]>;
  /** The same request over a bare socket, for faults that a client library hides. */
  dial(content: string): RawStream;
  /** The last request's record once its response is closed. */
  lastClosed(): Promise<Readonly<RequestRecord>>;
}

export interface SseEvent {
  readonly event: string;
  readonly data: { readonly [field: string]: unknown; readonly delta?: Readonly<Record<string, unknown>> };
}

/** Answers at once unless a /sim line says otherwise. */
export async function openFixture(): Promise<Fixture> {
  const simulator = await startSimulator({ pace: { ttftMs: 0, tokensPerSecond: 0 } });
  const { url, port } = simulator;
  const post = (fields: object = {}): Promise<Response> =>
    fetch(`${url}/v1/messages`, {
      method: "POST",
      headers: { "x-api-key": "any", "content-type": "application/json" },
      body: requestBody("hello", fields),
    });
  return {
    simulator,
    client: new Anthropic({ apiKey: "any", baseURL: url, maxRetries: 0 }),
    post,
    events: async (content, fields) => parseEvents(await (await post(userSays(content, fields))).text()),
    dial: (content) => new RawStream(port, requestBody(content)),
    lastClosed: () => lastClosed(simulator),
    [Symbol.asyncDispose]: () => simulator.stop(),
  };
}

const requestBody = (content: string, fields: object = {}): string =>
  JSON.stringify({ model: "test-model", max_tokens: 2_000_000, stream: true, ...userSays(content), ...fields });

const userSays = (content: string, fields: object = {}): object => ({
  messages: [{ role: "user", content }],
  ...fields,
});

export function parseEvents(body: string): SseEvent[] {
  return body
    .split("\n\n")
    .filter((block) => block !== "")
    .map((block) => {
      const [event = "", data = ""] = block.split("\n");
      return { event: event.slice("event: ".length), data: JSON.parse(data.slice("data: ".length)) };
    });
}

/** The deltas of `field` ("text", "thinking", "partial_json"), in order. */
export const deltas = (events: readonly SseEvent[], field: string): unknown[] =>
  events.flatMap(({ data }) => (data.delta && field in data.delta ? [data.delta[field]] : []));

async function lastClosed(simulator: Simulator): Promise<Readonly<RequestRecord>> {
  for (;;) {
    const record = simulator.stats().recent.at(-1);
    if (record?.closed_at) return record;
    // Each check is a round trip to the simulator, so the event loop can process the closing socket in between.
    await (await fetch(`${simulator.url}/sim/stats`)).text();
  }
}

/** One request on a socket of its own, and all that came back. */
export class RawStream implements Disposable {
  readonly socket: Socket;
  received = "";

  constructor(port: number, body: string) {
    this.socket = connect(port, "127.0.0.1");
    this.socket.setEncoding("latin1");
    this.socket.on("data", (chunk: string) => (this.received += chunk));
    this.socket.write(`POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: any\r\nconnection: close\r\n`);
    this.socket.write(`content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }

  async until(text: string): Promise<void> {
    while (!this.received.includes(text)) await once(this.socket, "data");
  }

  /** The error code that ended the socket, undefined for a clean end. */
  async closed(): Promise<string | undefined> {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    this.socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code));
    this.socket.once("close", () => resolve(undefined));
    return promise;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}
