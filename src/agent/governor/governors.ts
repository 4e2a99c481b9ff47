/** A governor for each model that this process calls. Made in `main.ts`; a run gets the one of its agent's model. */
import { createHash } from "node:crypto";
import { GAUGE } from "../../core/gauges.ts";
import { Governor, type GovernorOptions } from "./governor.ts";

export interface GovernorsOptions extends Omit<GovernorOptions, "name"> {
  /** Where the model is and who pays for it, because limits belong to both. Only compared, never stored. */
  readonly account: string;
}

export class Governors {
  readonly #options: GovernorsOptions;
  readonly #account: string;
  // Bounded by the models that config/agents.ts names.
  readonly #byModel = new Map<string, Governor>();

  constructor(options: GovernorsOptions) {
    this.#options = options;
    this.#account = createHash("sha256").update(options.account).digest("hex").slice(0, 12);
  }

  of(model: string): Governor {
    const { process, engine, log } = this.#options;
    const known =
      this.#byModel.get(model) ?? new Governor({ name: `model ${this.#account} ${model}`, process, engine, log });
    this.#byModel.set(model, known);
    return known;
  }

  /** Gauges for the heartbeat: models in trouble, and how long until the first of them is tried again. */
  read(): Record<string, number> {
    const states = [...this.#byModel.values()].map((governor) => governor.read());
    const troubled = states.filter(({ isTroubled }) => isTroubled);
    const nextTryMs = troubled.length > 0 ? Math.min(...troubled.map(({ waitMs }) => waitMs)) : 0;
    return { [GAUGE.modelBreakerOpen]: troubled.length, [GAUGE.modelBreakerMs]: Math.round(nextTryMs) };
  }

  stop(): void {
    for (const governor of this.#byModel.values()) governor.stop();
  }
}
