/** Small texts that all processes share, each under a name. `write` is called inside of a transaction. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { SharedText } from "../engine.ts";

export class SharedTexts {
  readonly #read: StatementSync;
  readonly #write: StatementSync;

  constructor({ reading, writing }: { readonly reading: DatabaseSync; readonly writing: DatabaseSync }) {
    this.#read = reading.prepare("SELECT text, version FROM shared WHERE name = ?");
    // A name without a row has version 0, so only a write with version 0 may make the row.
    this.#write = writing.prepare(
      "INSERT INTO shared (name, text, version) SELECT :name, :text, 1 WHERE :version = 0 OR EXISTS (SELECT 1 FROM shared WHERE name = :name) " +
        "ON CONFLICT (name) DO UPDATE SET text = excluded.text, version = shared.version + 1 WHERE shared.version = :version",
    );
  }

  read(name: string): SharedText {
    const row = this.#read.get(name) as unknown as SharedText | undefined;
    return row ? { ...row } : { text: null, version: 0 };
  }

  write(name: string, text: string, version: number): boolean {
    return this.#write.run({ name, text, version }).changes === 1;
  }
}
