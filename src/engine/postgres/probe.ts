/**
 * Checks that the database takes writes. A database that can only be read is a standby, or its disk is full. Called by
 * `engine.ts`.
 */
import type { Database } from "./database.ts";

/** How long one answer is used, however often a caller asks. */
const KEPT_MS = 1_000;

// Writes a row without changing it.
const WRITE = "UPDATE evenkeel_schema SET version = version";

export class Probe {
  readonly #database: Database;
  #last: { readonly at: number; readonly answer: Promise<unknown> } | undefined;

  constructor(database: Database) {
    this.#database = database;
  }

  /** @throws AppError STORAGE_UNAVAILABLE, STORAGE_FULL */
  async run(): Promise<void> {
    const now = performance.now();
    if (!this.#last || now - this.#last.at >= KEPT_MS) this.#last = { at: now, answer: this.#database.query(WRITE) };
    await this.#last.answer;
  }
}
