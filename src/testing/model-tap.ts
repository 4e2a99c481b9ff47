/**
 * Stands between an agent and its model and records the parsed bodies of the agent's requests. Tests point the agent at
 * the tap, and the tap at the simulated model.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

export interface AskedMessage {
  readonly role: string;
  readonly content: readonly { readonly type: string; readonly [field: string]: unknown }[];
}

export interface ModelRequest {
  readonly messages: readonly AskedMessage[];
  readonly [field: string]: unknown;
}

export class ModelTap implements AsyncDisposable {
  readonly asked: ModelRequest[] = [];
  /** The URL to which requests are passed on. */
  target = "";
  /** Answers in place of the model when it returns a response. */
  answer: (asked: ModelRequest) => Response | undefined = () => undefined;
  readonly #server: Server;

  /** Use `open`. */
  constructor() {
    this.#server = createServer((request, response) => {
      this.#pass(request, response).catch(() => response.destroy());
    });
  }

  static async open(): Promise<ModelTap> {
    const tap = new ModelTap();
    tap.#server.listen(0, "127.0.0.1");
    await once(tap.#server, "listening");
    return tap;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await new Response(Readable.toWeb(request) as ReadableStream).text();
    const asked = JSON.parse(body) as ModelRequest;
    this.asked.push(asked);
    const abort = new AbortController();
    response.on("close", () => abort.abort());
    const headers = { "content-type": "application/json", "x-api-key": "any" };
    const own = this.answer(asked);
    const answer =
      own ?? (await fetch(`${this.target}${request.url}`, { method: "POST", headers, body, signal: abort.signal }));
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    if (answer.body) await pipeline(Readable.fromWeb(answer.body as never), response);
    else response.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}
