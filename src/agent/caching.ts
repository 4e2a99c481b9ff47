/**
 * Which models accept marks for the prompt cache. When an endpoint refuses them, later requests leave them out, and the
 * operator is told once. One per process, made by the runner.
 */
import { hasCode } from "../core/errors.ts";
import type { Log } from "../observe/log.ts";

/** Complaints of an API that knows the marks: one request had too many of them, or at a wrong place. */
const ABOUT_ONE_REQUEST = /a maximum of|cannot be set for|must not come (?:after|before)/i;

export class Caching {
  // Bounded by the models that `config/agents.ts` names.
  readonly #refusedBy = new Set<string>();

  isOn(agent: { readonly model: string; readonly cache: boolean }): boolean {
    return agent.cache && !this.#refusedBy.has(agent.model);
  }

  /** @returns whether `error` says that the marks were refused: then repeat the call without them */
  isRefusal(error: unknown, model: string, log: Log): boolean {
    if (!hasCode(error, "MODEL_REJECTED")) return false;
    const { message } = error as Error;
    if (!/cache.?control/i.test(message)) return false;
    if (ABOUT_ONE_REQUEST.test(message)) return true;
    if (!this.#refusedBy.has(model)) {
      log.warn(
        { model },
        "the model refuses cache_control: prompts are no longer cached; `cache: false` says so at once",
      );
    }
    this.#refusedBy.add(model);
    return true;
  }
}
