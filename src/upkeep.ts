/** What the primary does for the data once a second: its upkeep, and a look at how many runs are under way. */
import type { Engine } from "./engine/engine.ts";
import type { Log } from "./observe/log.ts";
import type { Gauges } from "./process/protocol.ts";

const UPKEEP_MS = 1_000;

export class Upkeep {
  readonly #engine: Engine;
  readonly #timer: NodeJS.Timeout;
  #gauges: Gauges = {};

  constructor(engine: Engine, log: Log) {
    this.#engine = engine;
    this.#timer = setInterval(() => {
      this.#run().catch((error: unknown) => {
        // What cannot be told is left out: old figures would pass for true ones.
        this.#gauges = {};
        log.error({ err: error }, "upkeep of the data failed");
      });
    }, UPKEEP_MS);
  }

  /** Runs under way by status; none before the first look. */
  get gauges(): Gauges {
    return this.#gauges;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #run(): Promise<void> {
    await this.#engine.maintain();
    const { queued, running, waiting } = await this.#engine.counts();
    this.#gauges = { runs_queued: queued, runs_running: running, runs_waiting: waiting };
  }
}
