/**
 * One request at a time; whoever asks meanwhile gets one more after it. So no older answer comes over a newer
 * one, and a burst of reasons to load costs two requests.
 */
export class OneAtATime {
  readonly #work: () => Promise<void>;
  #isBusy = false;
  #isAskedAgain = false;

  /** @param work must not reject */
  constructor(work: () => Promise<void>) {
    this.#work = work;
  }

  request(): void {
    this.#isAskedAgain = this.#isBusy;
    if (this.#isBusy) return;
    this.#isBusy = true;
    void this.#work().finally(() => {
      this.#isBusy = false;
      if (this.#isAskedAgain) this.request();
    });
  }
}
