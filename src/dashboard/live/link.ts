/**
 * One WebSocket that reconnects with backoff, and that notices a connection which is open but dead. It does not know
 * the messages. Owned by the Hub.
 */
import { backoffMs, type BackoffOptions } from "../../core/backoff.ts";

export interface LinkTimes {
  readonly reconnect: BackoffOptions;
  /** A connection that is silent for longer, or not open after this time, is closed and opened again. */
  readonly silentMs: number;
  readonly checkMs: number;
  /** A connection that ended sooner did not work, so the pause before the next one grows. */
  readonly steadyMs: number;
}

// The processes send something each second, so ten missed seconds mean a dead peer or a lost network.
export const LINK_TIMES: LinkTimes = {
  reconnect: { firstMs: 250, maxMs: 5_000 },
  silentMs: 10_000,
  checkMs: 1_000,
  steadyMs: 5_000,
};

/** The worker drains, and another process of the server already serves. */
const GOING_AWAY = 1001;

interface LinkOptions {
  readonly open: () => WebSocket;
  readonly times: LinkTimes;
  readonly onOpen: () => void;
  readonly onFrame: (frame: Record<string, unknown>) => void;
  /** False while no subscription sends something each second; then silence means nothing. */
  readonly ticks: () => boolean;
}

export class Link {
  readonly #options: LinkOptions;
  #socket: WebSocket | undefined;
  #heardAt = 0;
  #openedAt: number | undefined;
  /**
   * Failures in a row. A first answer does not end the row, because the server may close after a message that it reads
   * later.
   */
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
