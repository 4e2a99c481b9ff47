/**
 * Counts what the model calls of this agent process are doing. One per process, made in `main.ts`, written by
 * `model.ts`, read at every heartbeat. Decides nothing.
 */
import { GAUGE } from "../core/gauges.ts";
import type { Usage } from "../core/run.ts";

// No tokenizer runs here. The usual rule for English text is four characters a token. Each answer then says how many
// tokens its characters were, and later estimates use that ratio. [With the rule alone the figure was 1.75 times too
// high for a model of 7 characters a token.] What is billed stands in the usage of each run.
const CHARACTERS_A_TOKEN = 4;
/** The weight of the newest answer against those before it. */
const LEARNED_FROM_NEWEST = 0.25;

export interface Wait {
  readonly ms: number;
  /** True when the wait is because of a 429: the model wants fewer requests from us. */
  readonly rateLimited: boolean;
}

export class ModelMeter {
  /** The counter only grows: a restart must not make a chart of its rate go backwards. */
  #tokens = 0;
  #charactersAToken = CHARACTERS_A_TOKEN;
  #inputTokens = 0;
  #cachedInputTokens = 0;
  #failures = 0;
  #calls = 0;
  // Bounded by the runs of this process.
  readonly #waits = new Set<{ readonly until: number; readonly rateLimited: boolean }>();

  /** Counts `answer` as a call in flight until it ends, whether it succeeds or fails. */
  async calling<T>(answer: Promise<T>): Promise<T> {
    this.#calls += 1;
    try {
      return await answer;
    } finally {
      this.#calls -= 1;
    }
  }

  /** Counts a call as waiting for its next attempt until `pause` ends, whether it succeeds or fails. */
  async waiting<T>({ ms, rateLimited }: Wait, pause: Promise<T>): Promise<T> {
    const wait = { until: performance.now() + ms, rateLimited };
    this.#waits.add(wait);
    try {
      return await pause;
    } finally {
      this.#waits.delete(wait);
    }
  }

  /** The model sent more characters: text, thinking or arguments of a tool. */
  heard(characters: number): void {
    this.#tokens += characters / this.#charactersAToken;
  }

  /** A whole answer came, with this many characters and this usage. */
  learn({ characters, usage }: { readonly characters: number; readonly usage: Usage }): void {
    const { output_tokens: tokens, input_tokens: fresh, cache_read_input_tokens: read } = usage;
    this.#inputTokens += fresh + read + usage.cache_creation_input_tokens;
    this.#cachedInputTokens += read;
    if (characters === 0 || tokens === 0) return;
    this.#charactersAToken += LEARNED_FROM_NEWEST * (characters / tokens - this.#charactersAToken);
  }

  /** An attempt failed because of the model, not because the run was canceled. */
  failed(): void {
    this.#failures += 1;
  }

  read(): Record<string, number> {
    const waits = [...this.#waits];
    const now = performance.now();
    return {
      [GAUGE.outputTokens]: Math.round(this.#tokens),
      [GAUGE.inputTokens]: this.#inputTokens,
      [GAUGE.cachedInputTokens]: this.#cachedInputTokens,
      [GAUGE.modelCalls]: this.#calls,
      [GAUGE.modelWaiting]: waits.length,
      // The longest wait that is left.
      [GAUGE.modelWaitMs]: Math.round(Math.max(0, ...waits.map(({ until }) => until - now))),
      [GAUGE.modelRateLimited]: waits.filter(({ rateLimited }) => rateLimited).length,
      [GAUGE.modelFailures]: this.#failures,
    };
  }
}
