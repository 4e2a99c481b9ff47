/**
 * Runs one request at a time. Any number of calls during a request lead to exactly one more request after it. So an old
 * answer never replaces a newer answer, and a burst of calls costs two requests.
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
