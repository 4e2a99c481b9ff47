/**
 * The time that another process or a client has for something. When this process stood still (SIGSTOP, a busy machine),
 * its timers run before it reads what came meanwhile. So at the end of the time, this lets the event loop read once before
 * it judges: what comes then may still call `stop`. Used wherever a timer ends somebody else's work.
 */
export class TimeLimit {
  readonly #onOver: () => void;
  #endsAt: number;
  #timer: NodeJS.Timeout;
  #read: NodeJS.Immediate | undefined;
  #isOver = false;

  /** @param onOver called once, unless this is stopped before */
  constructor(ms: number, onOver: () => void) {
    this.#onOver = onOver;
    this.#endsAt = performance.now() + ms;
    this.#timer = this.#start(ms);
  }

  /** By the monotonic clock. */
  get endsAt(): number {
    return this.#endsAt;
  }

  /** Adds time in which nobody could do anything. Nothing happens once it is over or stopped. */
  extend(ms: number): void {
    if (this.#isOver) return;
    this.#free();
    this.#endsAt += ms;
    this.#timer = this.#start(this.#endsAt - performance.now());
  }

  /** Idempotent. */
  stop(): void {
    this.#isOver = true;
    this.#free();
  }

  #start(ms: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.#read = setImmediate(() => {
        this.#isOver = true;
        this.#onOver();
      });
    }, ms);
  }

  #free(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#read);
  }
}
