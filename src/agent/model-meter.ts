/**
 * What the model calls of this agent process are doing, counted where it happens. One a process, made in
 * `main.ts`, written by `model.ts`, read with every heartbeat. It decides nothing.
 */
import { GAUGE } from "../core/gauges.ts";

// No tokenizer runs here: four characters a token is the usual rule for English text. What is billed stands in
// the usage of each run, which comes with its end; this figure grows while the model speaks.
const CHARACTERS_A_TOKEN = 4;

export interface Wait {
  readonly ms: number;
  /** Because of a 429: the model wants fewer requests of us. */
  readonly rateLimited: boolean;
}

export class ModelMeter {
  #characters = 0;
  #failures = 0;
  #calls = 0;
  // Bounded by the runs of this process.
  readonly #waits = new Set<{ readonly until: number; readonly rateLimited: boolean }>();

  /** Counts it as a call in flight until it ends, either way. */
  async calling<T>(answer: Promise<T>): Promise<T> {
    this.#calls += 1;
    try {
      return await answer;
    } finally {
      this.#calls -= 1;
    }
  }

  /** Counts it as a call that waits for its next attempt until `pause` ends, either way. */
  async waiting<T>({ ms, rateLimited }: Wait, pause: Promise<T>): Promise<T> {
    const wait = { until: performance.now() + ms, rateLimited };
    this.#waits.add(wait);
    try {
      return await pause;
    } finally {
      this.#waits.delete(wait);
    }
  }

  /** The model said more: text, thinking or arguments of a tool. */
  heard(characters: number): void {
    this.#characters += characters;
  }

  /** An attempt came to nothing by the model's doing, not because the run was canceled. */
  failed(): void {
    this.#failures += 1;
  }

  read(): Record<string, number> {
    const waits = [...this.#waits];
    const now = performance.now();
    return {
      [GAUGE.outputTokens]: Math.round(this.#characters / CHARACTERS_A_TOKEN),
      [GAUGE.modelCalls]: this.#calls,
      [GAUGE.modelWaiting]: waits.length,
      // The longest that is left to wait.
      [GAUGE.modelWaitMs]: Math.round(Math.max(0, ...waits.map(({ until }) => until - now))),
      [GAUGE.modelRateLimited]: waits.filter(({ rateLimited }) => rateLimited).length,
      [GAUGE.modelFailures]: this.#failures,
    };
  }
}
