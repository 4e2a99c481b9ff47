/** A circuit breaker for each model: rate limits are a model's own, and one in trouble must not stop the others. */
import { GAUGE } from "../core/gauges.ts";
import { Breaker } from "./breaker.ts";

export class Breakers {
  // Bounded by the models that config/agents.ts names.
  readonly #byModel = new Map<string, Breaker>();

  of(model: string): Breaker {
    const breaker = this.#byModel.get(model) ?? new Breaker();
    this.#byModel.set(model, breaker);
    return breaker;
  }

  /** Gauges for the heartbeat: how many are open, and how long until the first of them lets a call try. */
  read(): Record<string, number> {
    const open = [...this.#byModel.values()].filter(({ isOpen }) => isOpen);
    const nextTryMs = open.length > 0 ? Math.min(...open.map(({ waitMs }) => waitMs)) : 0;
    return { [GAUGE.modelBreakerOpen]: open.length, [GAUGE.modelBreakerMs]: Math.round(nextTryMs) };
  }

  stop(): void {
    for (const breaker of this.#byModel.values()) breaker.stop();
  }
}
