/**
 * Which model a run asks: its agent's own, and once that has failed several times in one call, `fallbackModel` for the
 * rest of the run. Made for each run by `work.ts`, asked by `model-step.ts`.
 */
import { hasCode } from "../core/errors.ts";
import type { Governor } from "./governor/governor.ts";
import type { ModelMessage } from "./history/model-message.ts";

/** Failed attempts at one call of the agent's own model. */
const MAX_FAILURES = 3;

const THINKING: ReadonlySet<string> = new Set(["thinking", "redacted_thinking"]);

interface Choices {
  readonly model: string;
  readonly fallbackModel?: string | undefined;
}

export class ModelChoice {
  readonly #choices: Choices;
  readonly #governorOf: (model: string) => Governor;
  #hasFallenBack = false;

  constructor(choices: Choices, governorOf: (model: string) => Governor) {
    this.#choices = choices;
    this.#governorOf = governorOf;
  }

  get model(): string {
    const { model, fallbackModel } = this.#choices;
    return this.#hasFallenBack ? (fallbackModel ?? model) : model;
  }

  get governor(): Governor {
    return this.#governorOf(this.model);
  }

  /** How many attempts one call may have. */
  get maxAttempts(): number {
    return this.#choices.fallbackModel === undefined || this.#hasFallenBack ? Infinity : MAX_FAILURES;
  }

  /** @returns whether another model is asked from now on, because the call ended with `error` */
  fallBack(error: unknown): boolean {
    if (this.maxAttempts === Infinity || !hasCode(error, "MODEL_UNAVAILABLE")) return false;
    this.#hasFallenBack = true;
    return true;
  }

  /** What this model may be told: the thinking of another is signed by that one, and would be refused. */
  forThis(messages: readonly ModelMessage[]): readonly ModelMessage[] {
    if (!this.#hasFallenBack) return messages;
    return messages.map((message) => ({
      ...message,
      content: message.content.filter(({ type }) => !THINKING.has(type)),
    }));
  }
}
