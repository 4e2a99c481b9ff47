/** Coalesces what comes many times a frame into one piece of work before the next paint. */
export class OncePerFrame {
  readonly #work: () => void;
  #frame: number | undefined;

  constructor(work: () => void) {
    this.#work = work;
  }

  /** In a hidden tab there are no frames: the work is done when it is looked at again. */
  request(): void {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = undefined;
      this.#work();
    });
  }

  stop(): void {
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    this.#frame = undefined;
  }
}
