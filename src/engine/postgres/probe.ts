/** Whether the database takes writes. One that only answers reads is a standby, or its disk is full. Called by `engine.ts`. */
import type { Database } from "./database.ts";

/** How long one answer is good for, however often somebody asks. */
const KEPT_MS = 1_000;

// A row that says what it said: it is written all the same.
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
