/** Joins many calls of one frame into one piece of work before the next paint. */
export class OncePerFrame {
  readonly #work: () => void;
  #frame: number | undefined;

  constructor(work: () => void) {
    this.#work = work;
  }

  /** A hidden tab has no frames; the work is done when the tab is visible again. */
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
