/**
 * The HTTP server of one worker: limits, listening, and a drain in two phases. First it accepts no new sockets, and
 * answers requests on open ones with `Connection: close`. Only then does it close idle sockets: to close them at once
 * would break a request that a client is just sending (RFC 9112 § 9.6).
 */
import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import { Server as NetServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { http } from "../core/node-http.ts";
import { isTooSlow, isWhole, refuseBadHttp } from "./bad-http.ts";

const LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  /** How long a connection without a request stays open. */
  keepAliveTimeout: 75_000,
  connectionsCheckingInterval: 1_000,
  // A browser sends the cookies of every other server on this host, and on localhost many collect. Twice 16 KiB are
  // common.
  maxHeaderSize: 64 * 1024,
  /** Above this many bytes a response counts as full, and its writer is asked to wait. */
  highWaterMark: 64 * 1024,
  /** The listener checks the Host header itself, and says what is missing. */
  requireHostHeader: false,
};

/** How long clients have to notice `Connection: close` before their idle sockets are closed. */
const FAREWELL_MS = 1_000;
/**
 * The farewell while other workers serve, so that nobody waits for the end of this one. [A machine with a load of 35 let clients
 * stand still for more than a second: 14 requests met a closed socket.]
 */
const LONG_FAREWELL_MS = 5_000;
const DRAIN_CHECK_MS = 50;

export type OnUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** Other offers (curl --http2 sends `Upgrade: h2c`) are answered as plain requests, which RFC 9110 § 7.8 allows. */
const isWebSocket = ({ headers }: IncomingMessage) => headers.upgrade?.toLowerCase() === "websocket";

type Times = "headersTimeout" | "requestTimeout" | "keepAliveTimeout" | "connectionsCheckingInterval";
type Timeouts = Partial<Pick<typeof LIMITS, Times>>;

export interface DrainOptions {
  /** Other workers serve the port: clients that are slow to leave cost nobody anything. */
  readonly othersServe?: boolean;
}

export class HttpServer {
  readonly #server: Server;
  readonly #adopted = new WeakSet<Socket>();
  // All bounded by the open connections.
  readonly #inFlight = new Set<ServerResponse>();
  readonly #sockets = new Set<Socket>();
  readonly #upgraded = new Set<Duplex>();
  /** Connections whose request took too long, unless it is here already and not read yet. */
  readonly #overdue = new Set<Duplex>();
  #drained: Promise<void> | undefined;
  #drainEndsAt = Number.POSITIVE_INFINITY;
  #farewellMs = LONG_FAREWELL_MS;
  /** When a response ended last, while draining, that had told its client that the connection stays open. */
  #keptOpenAt = Number.NEGATIVE_INFINITY;

  /** @param timeouts in ms */
  constructor(listener: RequestListener, onUpgrade: OnUpgrade, timeouts: Timeouts = {}) {
    const serve: RequestListener = (request, response) => {
      if (!this.#adopted.has(request.socket)) this.#count(response);
      if (this.#drained) response.shouldKeepAlive = false;
      listener(request, response);
    };
    this.#server = http.createServer({ ...LIMITS, ...timeouts, shouldUpgradeCallback: isWebSocket }, serve);
    // For `Expect: 100-continue`, node:http would ask for the body at once. Here, the code that reads the body asks for
    // it.
    this.#server.on("checkContinue", serve);
    this.#server.on("upgrade", (request, socket, head) => {
      this.#overdue.delete(socket);
      this.#upgraded.add(socket);
      socket.on("close", () => this.#upgraded.delete(socket));
      onUpgrade(request, socket, head);
    });
    this.#server.on("clientError", (error, socket) => void this.#refuse(error, socket));
    this.#server.on("connection", (socket) => this.#hold(socket));
  }

  /** Serves a connection that did not come over the port. It belongs to no client, so its requests do not count. */
  adopt(socket: Socket): void {
    this.#adopted.add(socket);
    this.#server.emit("connection", socket);
  }

  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** @returns the port. Rejects with a sentence when the address cannot be used. */
  async listen(host: string, port: number): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once("error", reject);
    this.#server.listen({ host, port, backlog: 4096 }, resolve);
    await promise;
    // Once the server listens, an error means a connection that could not be accepted: the client sees that, and we go
    // on.
    this.#server.off("error", reject).on("error", () => {});
    const address = this.#server.address();
    return typeof address === "object" && address ? address.port : port;
  }

  /**
   * Resolves when no client is left, or after `ms`; then the remaining sockets are cut. A later call can only shorten the time.
   */
  drain(ms: number, { othersServe = false }: DrainOptions = {}): Promise<void> {
    const now = performance.now();
    this.#drainEndsAt = Math.min(this.#drainEndsAt, now + ms);
    if (!othersServe) this.#farewellMs = FAREWELL_MS;
    this.#drained ??= this.#drain();
    return this.#drained;
  }

  async #drain(): Promise<void> {
    const startedAt = performance.now();
    for (const response of this.#inFlight) if (!response.headersSent) response.shouldKeepAlive = false;
    // http.Server's own close() would close idle sockets at once; this only stops listening.
    NetServer.prototype.close.call(this.#server);
    while (performance.now() < this.#drainEndsAt) {
      const idleUntil = Math.max(startedAt + this.#farewellMs, this.#keptOpenAt + FAREWELL_MS);
      const isFarewell = performance.now() < idleUntil;
      if (!isFarewell) await this.#closeIdle();
      // An upgraded socket has no request to finish: its client was told to go, and has the farewell to do so.
      if (this.#sockets.size === (isFarewell ? 0 : this.#upgraded.size)) break;
      await sleep(DRAIN_CHECK_MS);
    }
    await this.#readWhatCame();
    this.#server.closeAllConnections();
  }

  async #closeIdle(): Promise<void> {
    await this.#readWhatCame();
    this.#server.closeIdleConnections();
    // A socket on which nothing ever came does not count as idle.
    for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy();
  }

  async #refuse(error: Error & { code?: string }, socket: Duplex): Promise<void> {
    if (isTooSlow(error)) {
      this.#overdue.add(socket);
      await this.#readWhatCame();
      if (!this.#overdue.delete(socket) || isWhole(socket)) return;
    }
    refuseBadHttp(error, socket);
  }

  /**
   * A request may have come while this process had no time, and a timer runs before the loop reads it: its connection would
   * count as idle, or as too slow.
   */
  #readWhatCame(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  #count(response: ServerResponse): void {
    this.#inFlight.add(response);
    response.on("close", () => {
      this.#inFlight.delete(response);
      this.#overdue.delete(response.req.socket);
      if (this.#drained && response.shouldKeepAlive) this.#keptOpenAt = performance.now();
    });
  }

  #hold(socket: Socket): void {
    if (this.#adopted.has(socket)) return;
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
  }
}
