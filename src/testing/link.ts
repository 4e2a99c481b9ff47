/**
 * A TCP connection to a server, through a port of its own, that fails on demand: it breaks, as when the other machine
 * is gone, or it goes silent, as behind a firewall that has forgotten its connections. Called by tests and by chaos.
 */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** After this time the other end has executed the request. */
const ANSWERED_MS = 30;

export interface Target {
  readonly host?: string;
  readonly port: number;
}

export class Link implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #state: "whole" | "silent" | "broken" = "whole";
  #fatal: string | undefined;

  /** Use `open`. */
  constructor(target: Target, onClient?: (client: Socket) => void) {
    this.#server = createServer((client) => {
      onClient?.(client);
      this.#join(client, target);
    });
  }

  /** @param onClient is called with each new connection, before any of its bytes are read */
  static async open(target: Target, onClient?: (client: Socket) => void): Promise<Link> {
    const link = new Link(target, onClient);
    link.#server.listen(0, "127.0.0.1");
    await once(link.#server, "listening");
    return link;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Bytes vanish both ways, without a word to either end. New connections are accepted, and get no answer. */
  silence(): void {
    this.#state = "silent";
    for (const socket of this.#sockets) socket.unpipe().resume();
  }

  /** Open connections are closed, and new ones at once. */
  break(): void {
    this.#state = "broken";
    for (const socket of this.#sockets) socket.destroy();
  }

  /** New connections work again. Those that went silent are closed. */
  mend(): void {
    if (this.#state === "silent") this.break();
    this.#state = "whole";
  }

  /** The next bytes from a client that contain this text reach the other end, and their answer never comes back. */
  loseAnswerTo(text: string): void {
    this.#fatal = text;
  }

  #join(client: Socket, { host = "127.0.0.1", port }: Target): void {
    this.#keep(client);
    if (this.#state === "broken") client.destroy();
    if (this.#state !== "whole") return;
    const server = connect(port, host);
    this.#keep(server);
    client.pipe(server).pipe(client);
    client.on("data", (bytes: Buffer) => this.#loseAnswer(bytes));
    client.on("close", () => this.#onClose(server));
    server.on("close", () => this.#onClose(client));
  }

  #onClose(other: Socket): void {
    if (this.#state !== "silent") other.destroy();
  }

  #loseAnswer(bytes: Buffer): void {
    if (this.#fatal === undefined || !bytes.includes(this.#fatal)) return;
    this.#fatal = undefined;
    this.silence();
    setTimeout(() => this.mend(), ANSWERED_MS);
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.break();
    this.#server.close();
    await once(this.#server, "close");
  }
}
