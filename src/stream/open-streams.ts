/** All connections of one kind that are open in this worker: one timer pings them, and a drain sends them away. */

/** What is silent for 30–60 s is closed by proxies; so nothing is, and whoever is gone is noticed. */
const PING_MS = 15_000;

interface Stream {
  /** Called every PING_MS. */
  ping(): void;
  /** Its client shall go on at another process. Idempotent. */
  leave(): void;
  onClose(listener: () => void): void;
}

export class OpenStreams<T extends Stream> {
  // Bounded by the connections of this worker.
  readonly #open = new Set<T>();
  readonly #pinger = setInterval(() => this.#ping(), PING_MS);
  #stopped = false;

  get size(): number {
    return this.#open.size;
  }

  add(stream: T): void {
    this.#open.add(stream);
    stream.onClose(() => this.#open.delete(stream));
    // Opened on a connection from before the drain.
    if (this.#stopped) stream.leave();
  }

  /** Sends all away; clients resume elsewhere from the last seq they saw. Idempotent. */
  stop(): void {
    this.#stopped = true;
    clearInterval(this.#pinger);
    for (const stream of this.#open) stream.leave();
  }

  #ping(): void {
    for (const stream of this.#open) stream.ping();
  }
}
