/**
 * Carries what the machines on one Postgres tell each other: every two seconds the primary stores its report and reads
 * those of the others. Owned by `primary.ts`. Nothing waits for it, and nothing is right only because of it: it is for
 * people who look.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Engine } from "./engine/engine.ts";
import { paceOf, readReport, type OtherMachine } from "./process/machines.ts";

export interface MachineReportsOptions {
  readonly engine: Pick<Engine, "exchangeReports">;
  /** What this machine reports of itself now. */
  readonly report: () => string;
}

export class MachineReports {
  readonly #options: MachineReportsOptions;
  readonly #stopped = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #others: readonly OtherMachine[] = [];

  constructor(options: MachineReportsOptions) {
    this.#options = options;
  }

  /** Call once the processes serve: the first live machine by name tells `/metrics` of the storage, so it must answer. */
  start(): void {
    if (!this.#stopped.signal.aborted) this.#running = this.#run();
  }

  /** By name. While the database is away, these are their last reports. */
  get others(): readonly OtherMachine[] {
    return this.#others;
  }

  /** Takes the report back, so that this machine does not look as if it had fallen silent. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { engine, report } = this.#options;
    const { signal } = this.#stopped;
    let isAway = false;
    while (!signal.aborted) {
      isAway = !(await this.#exchange(report()));
      await delay(paceOf(this.#others.length + 1), undefined, { signal }).catch(() => {});
    }
    // A database that is away would hold up the end of the server; there the report grows old.
    if (!isAway) await engine.exchangeReports(null).catch(() => {});
  }

  /** @returns false when the database is away; the upkeep thread logs that. */
  async #exchange(own: string): Promise<boolean> {
    try {
      const reports = await this.#options.engine.exchangeReports(own);
      const now = performance.now();
      this.#others = reports.map(({ machine, report, ageMs }) => ({
        ...readReport(report),
        machine,
        reportedAt: now - ageMs,
      }));
      return true;
    } catch {
      return false;
    }
  }
}
