/**
 * One WebSocket that comes back: reconnects with backoff, and notices the connection that is open and dead.
 * Knows nothing of what goes over it. Owned by the Hub.
 */
import { backoffMs, type BackoffOptions } from "../../core/backoff.ts";

export interface LinkTimes {
  readonly reconnect: BackoffOptions;
  /** Silent for longer, or not open after this long: closed and opened again. */
  readonly silentMs: number;
  readonly checkMs: number;
  /** A connection that ended sooner did not work: the next one is waited for longer. */
  readonly steadyMs: number;
}

// The processes tick each second, so ten missed ticks are no accident: a dead peer or a network that is gone.
export const LINK_TIMES: LinkTimes = {
  reconnect: { firstMs: 250, maxMs: 5_000 },
  silentMs: 10_000,
  checkMs: 1_000,
  steadyMs: 5_000,
};

/** The server drains, and another process of it already serves. */
const GOING_AWAY = 1001;

interface LinkOptions {
  readonly open: () => WebSocket;
  readonly times: LinkTimes;
  readonly onOpen: () => void;
  readonly onFrame: (frame: Record<string, unknown>) => void;
  /** False while nothing is watched that ticks: then silence means nothing. */
  readonly ticks: () => boolean;
}

export class Link {
  readonly #options: LinkOptions;
  #socket: WebSocket | undefined;
  #heardAt = 0;
  #openedAt: number | undefined;
  /** In a row. A first answer does not end the row: a server may close for what it reads after that. */
  #failures = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #check: ReturnType<typeof setInterval> | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#check !== undefined) return;
    this.#check = setInterval(() => this.#watch(), this.#options.times.checkMs);
    this.#connect();
  }

  stop(): void {
    clearInterval(this.#check);
    this.#check = undefined;
    this.#drop();
    this.#failures = 0;
  }

  /** Reconnects at once, after a sign-in or sign-out. */
  restart(): void {
    if (this.#check === undefined) return;
    this.#drop();
    this.#connect();
  }

  /** Reconnects at once: the server has said that it is about to close this connection. */
  retreat(): void {
    this.#comeBack(0);
  }

  /** @returns false when there is no open socket: send it again in onOpen */
  send(frame: object): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  #connect(): void {
    const socket = this.#options.open();
    this.#socket = socket;
    this.#heardAt = performance.now();
    this.#openedAt = undefined;
    // A socket that was given up may still fire; what it says is about a connection that is over.
    const ifCurrent = (does: () => void) => () => {
      if (this.#socket === socket) does();
    };
    const onOpen = ifCurrent(() => {
      this.#openedAt = performance.now();
      this.#options.onOpen();
    });
    socket.addEventListener("open", onOpen);
    socket.addEventListener("message", (event) => {
      if (this.#socket === socket) this.#heard(event.data);
    });
    socket.addEventListener("close", (event) => {
      if (this.#socket === socket) this.#comeBack(event.code);
    });
  }

  #heard(data: unknown): void {
    this.#heardAt = performance.now();
    this.#options.onFrame(JSON.parse(String(data)) as Record<string, unknown>);
  }

  #comeBack(code: number): void {
    this.#drop();
    const lastedMs = this.#openedAt === undefined ? 0 : performance.now() - this.#openedAt;
    this.#failures = lastedMs < this.#options.times.steadyMs ? this.#failures + 1 : 1;
    // Once in a row: a server that sends everybody away is not to be hammered.
    const atOnce = code === GOING_AWAY && this.#failures === 1;
    this.#retry = setTimeout(
      () => this.#connect(),
      atOnce ? 0 : backoffMs(this.#failures, this.#options.times.reconnect),
    );
  }

  #watch(): void {
    if (!this.#socket) return;
    const silentMs = performance.now() - this.#heardAt;
    const expected = this.#socket.readyState !== WebSocket.OPEN || this.#options.ticks();
    if (expected && silentMs > this.#options.times.silentMs) this.#comeBack(0);
  }

  #drop(): void {
    clearTimeout(this.#retry);
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }
}
