/**
 * Stands between a browser and the server and counts WebSockets, wherever in the browser they are opened: in a
 * SharedWorker too, which no script of a page can look into. Called by tests.
 */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

export class Relay implements AsyncDisposable {
  /** The open WebSockets. */
  readonly webSockets = new Set<Socket>();
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  /** Use `open`. */
  constructor(targetPort: number) {
    this.#server = createServer((client) => this.#pass(client, connect(targetPort, "127.0.0.1")));
  }

  static async open(targetPort: number): Promise<Relay> {
    const relay = new Relay(targetPort);
    relay.#server.listen(0, "127.0.0.1");
    await once(relay.#server, "listening");
    return relay;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #pass(client: Socket, server: Socket): void {
    client.on("data", (bytes) => {
      if (bytes.slice(0, 8).toString() === "GET /ws ") this.webSockets.add(client);
    });
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from);
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        this.#sockets.delete(from);
        this.webSockets.delete(from);
        to.destroy();
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}
