/**
 * All connections of one kind that are open in this worker: one timer pings them, and a drain closes them.
 */

/** Proxies close connections that are silent for 30–60 s. The ping keeps them open, and shows which client is gone. */
const PING_MS = 15_000;
/** Pinged in turn, as each ping is a system call. [2,000 sockets in one go hold up the loop for 49 ms.] */
const SLICES = 16;

interface Stream {
  /** Called every PING_MS. */
  ping(): void;
  /** Ends the connection, so that its client continues at another process. Idempotent. */
  leave(): void;
  onClose(listener: () => void): void;
}

export class OpenStreams<T extends Stream> {
  // Together bounded by the connections of this worker. Each is pinged once in PING_MS.
  readonly #slices = Array.from({ length: SLICES }, () => new Set<T>());
  readonly #pinger = setInterval(() => this.#pingSlice(), PING_MS / SLICES);
  #added = 0;
  #pings = 0;
  #stopped = false;

  get size(): number {
    return this.#slices.reduce((sum, slice) => sum + slice.size, 0);
  }

  add(stream: T): void {
    const slice = this.#slices[this.#added % SLICES];
    this.#added += 1;
    slice?.add(stream);
    stream.onClose(() => slice?.delete(stream));
    // The stream was opened on a connection from before the drain.
    if (this.#stopped) stream.leave();
  }

  /**
   * Closes all; clients resume at another process from the last seq they saw. Idempotent. Closes all in one
   * go, because a draining worker takes no new requests and the process may end right after. [2,000 sockets:
   * 77 ms.]
   */
  stop(): void {
    this.#stopped = true;
    clearInterval(this.#pinger);
    for (const slice of this.#slices) for (const stream of slice) stream.leave();
  }

  #pingSlice(): void {
    for (const stream of this.#slices[this.#pings % SLICES] ?? []) stream.ping();
    this.#pings += 1;
  }
}
