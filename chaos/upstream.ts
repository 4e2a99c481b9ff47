/**
 * Stands between the agents and the simulated model: passes requests on, stalls in the middle of answers, or answers
 * 529.
 */
import { once } from "node:events";
import { createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const OVERLOADED = '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}';

export class Upstream implements AsyncDisposable {
  readonly url: string;
  isOverloaded = false;
  readonly #server: ReturnType<typeof createServer>;
  #flows: Promise<void> = Promise.resolve();

  private constructor(server: ReturnType<typeof createServer>) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(modelUrl: string): Promise<Upstream> {
    const server = createServer((asked, answer) => upstream.#forward(modelUrl, asked, answer));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const upstream = new Upstream(server);
    return upstream;
  }

  /** No byte of an answer goes through until the promise resolves. */
  stall(until: Promise<void>): void {
    this.#flows = until;
  }

  #forward(modelUrl: string, asked: IncomingMessage, answer: ServerResponse): void {
    if (this.isOverloaded) {
      asked.resume();
      answer.writeHead(529, { "content-type": "application/json", "retry-after": "1" }).end(OVERLOADED);
      return;
    }
    const sent = request(`${modelUrl}${asked.url}`, { method: asked.method, headers: asked.headers, agent: false });
    answer.on("close", () => sent.destroy());
    sent.on("error", () => answer.destroy());
    sent.on("response", (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      this.#pass(response, answer).catch(() => answer.destroy());
    });
    asked.pipe(sent);
  }

  async #pass(response: IncomingMessage, answer: ServerResponse): Promise<void> {
    for await (const chunk of response) {
      await this.#flows;
      answer.write(chunk);
    }
    answer.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }
}
