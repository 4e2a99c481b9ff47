/**
 * Runs a suspect's tools alone. A run whose process ended in the middle of a tool twice in a row is a suspect
 * (`engine/rules/blame.ts`): while its tools begin, no tool of another run works in this process, so that the next
 * death can be blamed on nobody else. One per agent process; `execute.ts` passes every call through it that could end
 * the process.
 *
 * Other runs never wait long for a suspect. Their new calls wait at most `trialMs` until the suspect is alone, and then
 * at most `trialMs` while it is alone; after that they run beside it. Between two trials, all waiting calls go first.
 */
export interface Call {
  readonly runId: string;
  /** From the claim; 0 for a run that is not a suspect. */
  readonly trialMs: number;
  /** Aborting it ends the wait. */
  readonly signal: AbortSignal;
}

interface Waiting {
  readonly call: Call;
  readonly admit: () => void;
}

type Trial =
  | { readonly is: "waiting"; readonly suspect: Waiting; readonly timer: NodeJS.Timeout }
  | { readonly is: "alone"; readonly runId: string; readonly timer: NodeJS.Timeout };

export class Trials {
  // How many calls of each run are working. Bounded, like #waiting, by the claimed runs and the calls of one answer.
  readonly #working = new Map<string, number>();
  readonly #waiting = new Set<Waiting>();
  #trial: Trial | undefined;

  /** Rejects with the signal's reason when the signal aborts before `work` began. */
  async run<T>(call: Call, work: () => Promise<T>): Promise<T> {
    await this.#enter(call);
    try {
      return await work();
    } finally {
      this.#leave(call.runId);
    }
  }

  async #enter(call: Call): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting: Waiting = {
      call,
      admit: () => {
        this.#waiting.delete(waiting);
        this.#working.set(call.runId, (this.#working.get(call.runId) ?? 0) + 1);
        resolve();
      },
    };
    const giveUp = () => {
      this.#waiting.delete(waiting);
      if (this.#trial?.is === "waiting" && this.#trial.suspect === waiting) this.#endTrial();
      reject(call.signal.reason);
    };
    call.signal.throwIfAborted();
    call.signal.addEventListener("abort", giveUp, { once: true });
    this.#waiting.add(waiting);
    this.#advance();
    try {
      await promise;
    } finally {
      call.signal.removeEventListener("abort", giveUp);
    }
  }

  #leave(runId: string): void {
    const left = (this.#working.get(runId) ?? 0) - 1;
    if (left > 0) this.#working.set(runId, left);
    else this.#working.delete(runId);
    if (this.#trial?.is === "alone" && this.#trial.runId === runId && left <= 0) this.#endTrial();
    this.#advance();
  }

  #advance(): void {
    for (const waiting of this.#waiting) if (this.#mayJoin(waiting.call)) waiting.admit();
    const [suspect] = this.#waiting;
    if (!this.#trial && suspect) this.#beginTrial(suspect);
    if (this.#trial?.is === "waiting" && this.#othersThan(this.#trial.suspect.call.runId) === 0) this.#beAlone();
  }

  /** True for a call that need not be alone, or that belongs to the run that is alone. */
  #mayJoin({ runId, trialMs }: Call): boolean {
    if (this.#trial) return this.#trial.is === "alone" && this.#trial.runId === runId;
    return trialMs === 0;
  }

  #beginTrial(suspect: Waiting): void {
    const timer = setTimeout(() => {
      // The other calls take too long: let the suspect run beside them; if its process dies now, no run is blamed.
      suspect.admit();
      this.#endTrial();
    }, suspect.call.trialMs);
    this.#trial = { is: "waiting", suspect, timer };
  }

  #beAlone(): void {
    if (this.#trial?.is !== "waiting") return;
    const { suspect, timer } = this.#trial;
    clearTimeout(timer);
    const { runId, trialMs } = suspect.call;
    this.#trial = { is: "alone", runId, timer: setTimeout(() => this.#endTrial(), trialMs) };
    suspect.admit();
    this.#advance();
  }

  #endTrial(): void {
    clearTimeout(this.#trial?.timer);
    this.#trial = undefined;
    this.#advance();
  }

  #othersThan(runId: string): number {
    return this.#working.size - (this.#working.has(runId) ? 1 : 0);
  }
}
