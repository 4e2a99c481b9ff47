/**
 * What the model calls of this agent process are doing, counted where it happens. One a process, made in
 * `main.ts`, written by `model.ts`, read with every heartbeat. It decides nothing.
 */
import { GAUGE } from "../core/gauges.ts";
import type { Usage } from "../core/run.ts";

// No tokenizer runs here. Four characters a token is the usual rule for English text; each answer then says how many
// tokens its characters were, and what comes after it is estimated by that. [With the rule alone the figure was 1.75
// times too high for a model of 7 characters a token.] What is billed stands in the usage of each run.
const CHARACTERS_A_TOKEN = 4;
/** How much the newest answer counts among those before it. */
const LEARNED_FROM_NEWEST = 0.25;

export interface Wait {
  readonly ms: number;
  /** Because of a 429: the model wants fewer requests of us. */
  readonly rateLimited: boolean;
}

export class ModelMeter {
  /** The counter only grows: a chart of its rate would take a step back for a restart. */
  #tokens = 0;
  #charactersAToken = CHARACTERS_A_TOKEN;
  #inputTokens = 0;
  #cachedInputTokens = 0;
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
    this.#tokens += characters / this.#charactersAToken;
  }

  /** A whole answer came: it has so many characters, and the model counted this usage for it. */
  learn({ characters, usage }: { readonly characters: number; readonly usage: Usage }): void {
    const { output_tokens: tokens, input_tokens: fresh, cache_read_input_tokens: read } = usage;
    this.#inputTokens += fresh + read + usage.cache_creation_input_tokens;
    this.#cachedInputTokens += read;
    if (characters === 0 || tokens === 0) return;
    this.#charactersAToken += LEARNED_FROM_NEWEST * (characters / tokens - this.#charactersAToken);
  }

  /** An attempt came to nothing by the model's doing, not because the run was canceled. */
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
      // The longest that is left to wait.
      [GAUGE.modelWaitMs]: Math.round(Math.max(0, ...waits.map(({ until }) => until - now))),
      [GAUGE.modelRateLimited]: waits.filter(({ rateLimited }) => rateLimited).length,
      [GAUGE.modelFailures]: this.#failures,
    };
  }
}
