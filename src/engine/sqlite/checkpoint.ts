/**
 * Moves committed pages from the WAL into the database file. Only the upkeep thread does so, once a second: if every
 * writer did, checkpoints would collide and the WAL would grow without end.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";
import { busyRetryMs, isBusy } from "./connection.ts";
import type { SqliteConnections } from "./engine.ts";
import { describeStuckLog } from "./stuck-log.ts";

/** In pages: 4 MB. */
const RESTART_ABOVE_FRAMES = 1_000;
// Writers leave gaps of milliseconds between their commits; with several writers it takes some tries to meet a gap.
const RESTART_TRIES = 20;

/** When the WAL stays above this size, an operator has to be told. */
const STUCK_FRAMES = 4_000;
const STUCK_MS = 10_000;
const FRAME_BYTES = 4_096 + 24;

/** https://sqlite.org/pragma.html#pragma_wal_checkpoint */
interface Checkpoint {
  /** 1 when a writer or a reader blocked the checkpoint. */
  readonly busy: number;
  /** Pages in the WAL. */
  readonly log: number;
}

export class Checkpointer {
  readonly #path: string;
  readonly #db: DatabaseSync;
  readonly #passive: StatementSync;
  readonly #restart: StatementSync;

  #restartedAt = performance.now();

  constructor({ path, writing: db }: SqliteConnections) {
    this.#path = path;
    this.#db = db;
    this.#passive = db.prepare("PRAGMA wal_checkpoint(PASSIVE)");
    this.#restart = db.prepare("PRAGMA wal_checkpoint(RESTART)");
  }

  /**
   * A passive checkpoint stops nobody, but under steady writing it never reaches the end of the WAL, so the WAL never
   * begins anew. A RESTART checkpoint makes writers wait, but only for the little that was written meanwhile. TRUNCATE
   * would make the system allocate and clear each page of the file again. [A tenth of an agent's CPU.]
   * @returns a line for the log when the WAL has been too large for long and cannot begin anew
   */
  async run(): Promise<string | undefined> {
    const { log } = checkpoint(this.#passive);
    if (log <= RESTART_ABOVE_FRAMES || (await this.#restarted())) {
      this.#restartedAt = performance.now();
      return undefined;
    }
    if (log < STUCK_FRAMES || performance.now() - this.#restartedAt < STUCK_MS) return undefined;
    const bytes = log * FRAME_BYTES;
    return describeStuckLog({ walPath: `${this.#path}-wal`, shmPath: `${this.#path}-shm`, bytes });
  }

  async #restarted(): Promise<boolean> {
    for (let tries = 0; tries < RESTART_TRIES && this.#db.isOpen; tries += 1) {
      if (!checkpoint(this.#restart).busy) return true;
      await setTimeout(busyRetryMs());
    }
    return false;
  }
}

function checkpoint(statement: StatementSync): Checkpoint {
  try {
    return statement.get() as unknown as Checkpoint;
  } catch (error) {
    // Another process repairs what a killed process left behind: try again in the next second.
    if (isBusy(error)) return { busy: 1, log: 0 };
    throw error;
  }
}
