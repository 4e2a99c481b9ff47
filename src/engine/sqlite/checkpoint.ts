/**
 * Moves committed pages from the WAL into the database file. The primary alone does it, once a second:
 * left to every writer, checkpoints collide and the WAL grows without end.
 */
import { statSync } from "node:fs";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { isBusy } from "./connection.ts";

// Above this a passive checkpoint is not enough: readers kept SQLite from starting the WAL anew.
const TRUNCATE_ABOVE_BYTES = 16 * 1024 * 1024;

export class Checkpointer {
  readonly #passive: StatementSync;
  readonly #truncate: StatementSync;
  readonly #walPath: string;

  constructor(db: DatabaseSync, walPath: string) {
    this.#passive = db.prepare("PRAGMA wal_checkpoint(PASSIVE)");
    this.#truncate = db.prepare("PRAGMA wal_checkpoint(TRUNCATE)");
    this.#walPath = walPath;
  }

  run(): void {
    const bytes = statSync(this.#walPath, { throwIfNoEntry: false })?.size ?? 0;
    if (bytes === 0) return;
    try {
      (bytes > TRUNCATE_ABOVE_BYTES ? this.#truncate : this.#passive).get();
    } catch (error) {
      // Somebody writes right now; the next second is soon enough.
      if (!isBusy(error)) throw error;
    }
  }
}
