/** The upkeep of this driver: what the upkeep thread has done each second. Called by `engine.ts`. */
import { Checkpointer } from "./checkpoint.ts";
import { LeaseClock } from "./clock.ts";
import type { SqliteConnections } from "./engine.ts";
import type { Reads } from "./reads.ts";
import { Removal } from "./removal.ts";
import { Retainer } from "./retention.ts";
import type { Retention } from "../../core/retention.ts";
import { endedEphemeral } from "./thread.ts";
import type { Writer } from "./writer.ts";

/** Batches of rows of removed runs that one call deletes. */
const SWEEPS_A_SECOND = 100;

export interface MaintenanceParts {
  readonly connections: SqliteConnections;
  readonly writer: Writer;
  readonly reads: Reads;
  /** On the writing connection. */
  readonly removal: Removal;
}

export class Maintenance {
  readonly #parts: MaintenanceParts;
  readonly #checkpointer: Checkpointer;
  readonly #clock: LeaseClock;
  readonly #retainer: Retainer;
  /** On the reading connection. */
  readonly #removals: Removal;

  constructor(parts: MaintenanceParts) {
    const { connections, writer, removal } = parts;
    this.#parts = parts;
    this.#checkpointer = new Checkpointer(connections.writing);
    this.#clock = new LeaseClock(connections.writing);
    this.#retainer = new Retainer(connections, writer, removal);
    this.#removals = new Removal(connections.reading);
  }

  async maintain(): Promise<void> {
    await this.#tick();
    await this.#checkpointer.run();
    await this.#removeEphemeral();
    await this.#sweep();
  }

  async retain(retention: Retention): Promise<boolean> {
    const isMore = await this.#retainer.run(retention, Date.now());
    return (await this.#sweep()) || isMore;
  }

  /** Looks first: an idle server must not take the write lock every second. */
  async #removeEphemeral(): Promise<void> {
    const { connections, writer, removal } = this.#parts;
    for (const threadId of endedEphemeral(connections.reading, Date.now())) {
      await writer.run(() => removal.mark(threadId, Date.now()) && removal.hide());
    }
  }

  /** A little at a time: between two batches others write. @returns whether there is more */
  async #sweep(): Promise<boolean> {
    const { writer, removal } = this.#parts;
    const now = Date.now();
    if (!this.#removals.isPending(now)) return false;
    for (let batches = 0; batches < SWEEPS_A_SECOND; batches += 1) {
      if (await writer.run(() => removal.sweep())) continue;
      await writer.run(() => removal.forget(now));
      return false;
    }
    return true;
  }

  async #tick(): Promise<void> {
    const { running } = this.#parts.reads.counts();
    if (running > 0) await this.#clock.tick();
    else this.#clock.skip();
  }
}
