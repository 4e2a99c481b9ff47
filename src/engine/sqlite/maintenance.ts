/** The upkeep of this driver, which the upkeep thread calls each second. Called by `engine.ts`. */
import { doAll } from "../do-all.ts";
import { Checkpointer } from "./checkpoint.ts";
import { LeaseClock } from "./clock.ts";
import type { Disk } from "./disk.ts";
import type { Queue } from "./queue.ts";
import type { Reads } from "./reads.ts";
import { RemovalLooks } from "./removal.ts";
import { Retainer, type RetainerParts } from "./retention.ts";
import type { Retention } from "../../core/retention.ts";
import { withinShare } from "../rules/retention.ts";

/** How many batches of rows of removed runs one call deletes. */
const SWEEPS_A_SECOND = 100;

export interface MaintenanceParts extends RetainerParts {
  readonly disk: Disk;
  readonly reads: Reads;
  readonly queue: Pick<Queue, "isAnyOverdue" | "endOverdue">;
}

export class Maintenance {
  readonly #parts: MaintenanceParts;
  readonly #checkpointer: Checkpointer;
  readonly #clock: LeaseClock;
  readonly #retainer: Retainer;
  readonly #looks: RemovalLooks;

  constructor(parts: MaintenanceParts) {
    const { connections } = parts;
    this.#parts = parts;
    this.#checkpointer = new Checkpointer(connections);
    this.#clock = new LeaseClock(connections.writing);
    this.#retainer = new Retainer(parts);
    this.#looks = new RemovalLooks(connections.reading);
  }

  /**
   * When a step fails, the others still run: on a full disk the checkpoint and the removal of rows make room.
   * @returns messages for an operator
   */
  async maintain(): Promise<string[]> {
    const { disk } = this.#parts;
    disk.assertSame();
    let warning: string | undefined;
    await doAll([
      () => this.#tick(),
      async () => (warning = await this.#checkpointer.run()),
      () => disk.keepReserve(),
      () => this.#endOverdue(),
      () => withinShare(() => this.#looks.removeEphemeral(this.#parts, Date.now())),
      () => this.#sweep(),
      () => disk.assertRoom(),
    ]);
    return warning === undefined ? [] : [warning];
  }

  /** Writes a page without changing its content. */
  probe(): void {
    this.#clock.touch();
  }

  async retain(retention: Retention): Promise<boolean> {
    const isMore = await this.#retainer.run(retention, Date.now());
    return (await this.#sweep()) || isMore;
  }

  async #endOverdue(): Promise<void> {
    const { queue, writer } = this.#parts;
    if (queue.isAnyOverdue()) while (await writer.run(() => queue.endOverdue())) continue;
  }

  /** Deletes a little at a time, so that others can write between two batches. @returns whether there is more */
  async #sweep(): Promise<boolean> {
    const { writer, removals } = this.#parts;
    const now = Date.now();
    if (!this.#looks.isPending(now)) return false;
    for (let batches = 0; batches < SWEEPS_A_SECOND; batches += 1) {
      if (await writer.run(() => removals.sweep())) continue;
      await writer.run(() => removals.forget(now));
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
