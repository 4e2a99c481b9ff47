/**
 * A load balancer as real ones are: it asks each server for `/ready` over and over and sends requests in turn to those
 * that answered 200, over new connections and over those that it keeps. It repeats no request: one that a server did
 * not answer is answered with 502, as nginx does with a POST that it has sent. Called by tests.
 */
import { once } from "node:events";
import { Agent, createServer, request, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** Real ones ask every 5 to 10 s. */
export const CHECK_EACH_MS = 400;
/** A server that does not answer for this long is out of the rotation. Real ones wait some seconds. */
const CHECK_MS = 1_000;

interface Backend {
  readonly port: number;
  isUp: boolean;
}

export class Balancer implements AsyncDisposable {
  /** The requests that a server took and did not answer. */
  readonly broken: string[] = [];
  readonly #server: Server;
  readonly #backends: readonly Backend[];
  readonly #agent = new Agent({ keepAlive: true });
  readonly #timers: NodeJS.Timeout[];
  #next = 0;
  #requests = 0;

  /** Use `open`. @param ports of servers on this machine */
  constructor(ports: readonly number[]) {
    this.#backends = ports.map((port) => ({ port, isUp: true }));
    this.#server = createServer((asked, answer) => this.#pass(asked, answer));
    this.#timers = this.#backends.map((backend) => setInterval(() => void this.#check(backend), CHECK_EACH_MS));
  }

  static async open(ports: readonly number[]): Promise<Balancer> {
    const balancer = new Balancer(ports);
    balancer.#server.listen(0, "127.0.0.1");
    await once(balancer.#server, "listening");
    return balancer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  isUp(port: number): boolean {
    return this.#backends.some((backend) => backend.port === port && backend.isUp);
  }

  async #check(backend: Backend): Promise<void> {
    const signal = AbortSignal.timeout(CHECK_MS);
    const answer = fetch(`http://127.0.0.1:${backend.port}/ready`, { signal }).then(({ ok }) => ok);
    backend.isUp = await answer.catch(() => false);
  }

  #pass(asked: IncomingMessage, answer: ServerResponse): void {
    const up = this.#backends.filter(({ isUp }) => isUp);
    const backend = up[this.#next % up.length];
    this.#next += 1;
    if (!backend) {
      answer.writeHead(503).end();
      return;
    }
    const { method = "GET", url = "/", headers } = asked;
    // Every other request goes over a connection of its own: a server that has closed its port is noticed at once.
    this.#requests += 1;
    const agent = this.#requests % 2 === 0 && this.#agent;
    const sent = request({ port: backend.port, host: "127.0.0.1", path: url, method, headers, agent });
    sent.on("response", (response) => {
      // A connection belongs to its two ends: what the server says of its own is not passed on.
      const { connection: _ours, "keep-alive": _too, ...passed } = response.headers;
      answer.writeHead(response.statusCode ?? 502, passed).flushHeaders();
      response.pipe(answer);
      response.on("error", () => answer.destroy());
    });
    sent.on("error", (error) => {
      if (answer.headersSent || answer.destroyed) return;
      this.broken.push(`${method} ${url}: ${error.message}`);
      answer.writeHead(502).end();
    });
    answer.on("close", () => sent.destroy());
    asked.pipe(sent);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#agent.destroy();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}
