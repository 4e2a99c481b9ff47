/**
 * A network between a server and its database that can be cut: bytes then vanish both ways, without a word to either end,
 * as behind a firewall that has forgotten its connections. Called by tests.
 */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** After this time the other end has executed the request. */
const ANSWERED_MS = 30;

export class Link implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isCut = false;
  #fatal: string | undefined;

  /** Use `open`. */
  constructor(targetPort: number) {
    this.#server = createServer((client) => this.#pass(client, targetPort));
  }

  static async open(targetPort: number): Promise<Link> {
    const link = new Link(targetPort);
    link.#server.listen(0, "127.0.0.1");
    await once(link.#server, "listening");
    return link;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  cut(): void {
    this.#isCut = true;
  }

  /** Connections from before are gone for good. */
  mend(): void {
    this.#isCut = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** The next bytes from a client that contain this text reach the other end, and their answer never comes back. */
  loseAnswerTo(text: string): void {
    this.#fatal = text;
  }

  #pass(client: Socket, targetPort: number): void {
    this.#keep(client);
    if (this.#isCut) return;
    const target = connect(targetPort, "127.0.0.1");
    this.#keep(target);
    for (const [from, to] of [
      [client, target],
      [target, client],
    ] as const) {
      from.on("data", (bytes: Buffer) => {
        if (this.#isCut) return;
        to.write(bytes);
        if (from === client) this.#loseAnswer(bytes);
      });
      from.on("close", () => this.#isCut || to.destroy());
    }
  }

  #loseAnswer(bytes: Buffer): void {
    if (this.#fatal === undefined || !bytes.includes(this.#fatal)) return;
    this.#fatal = undefined;
    this.#isCut = true;
    setTimeout(() => this.mend(), ANSWERED_MS);
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}
