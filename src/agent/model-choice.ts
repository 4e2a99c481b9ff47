/**
 * Which model a run asks: its agent's own model, and once that model has failed several times in one call, or is known
 * to be in trouble, `fallbackModel` for the rest of the run. Made for each run by `work.ts`, asked by the loop.
 */
import type { Agent } from "../core/agent.ts";
import { hasCode } from "../core/errors.ts";
import type { Bill } from "../engine/engine.ts";
import type { Governor } from "./governor/governor.ts";

/** Failed attempts at one call, after which the agent's own model is given up. */
const MAX_FAILURES = 3;

/** The model and price to which calls are booked; those of the fallback when `hasFallenBack`. */
export function billFor(agent: Agent | undefined, hasFallenBack = false): Bill | undefined {
  if (!agent) return undefined;
  const { model, price, fallbackModel = model, fallbackPrice } = agent;
  return hasFallenBack ? { model: fallbackModel, price: fallbackPrice } : { model, price };
}

export class ModelChoice {
  readonly #agent: Agent;
  readonly #governorOf: (model: string) => Governor;
  #hasFallenBack = false;

  constructor(agent: Agent, governorOf: (model: string) => Governor) {
    this.#agent = agent;
    this.#governorOf = governorOf;
  }

  get model(): string {
    const { model, fallbackModel } = this.#agent;
    return this.#hasFallenBack ? (fallbackModel ?? model) : model;
  }

  get bill(): Bill | undefined {
    return billFor(this.#agent, this.#hasFallenBack);
  }

  get governor(): Governor {
    return this.#governorOf(this.model);
  }

  /** How many attempts one call may have. */
  get maxAttempts(): number {
    return this.#agent.fallbackModel === undefined || this.#hasFallenBack ? Infinity : MAX_FAILURES;
  }

  /** @returns whether another model is asked from now on, because a call ended with `error` */
  fallBack(error: unknown): boolean {
    if (this.maxAttempts === Infinity || !hasCode(error, "MODEL_UNAVAILABLE")) return false;
    this.#hasFallenBack = true;
    return true;
  }
}
