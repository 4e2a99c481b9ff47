/**
 * Records which runs use which files (`rules/file-uses.ts`), inside a transaction that the caller has begun. Everything
 * that stores a message or a tool's result calls `record`. [Triggers made each insert take 5 to 10 µs more, also where
 * no file was named; this search takes 1 µs for 2 KB of content, and nothing for a message of text alone.]
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { filesNamedIn } from "../rules/file-uses.ts";

export class FileUses {
  readonly #sql: ReturnType<typeof statements>;

  constructor(db: DatabaseSync) {
    this.#sql = statements(db);
  }

  /** @param run the number of a stored run. @param stored JSON of content, or of a tool's result */
  record(run: number, stored: string): void {
    for (const file of filesNamedIn(stored)) this.#sql.insert.run(file, run);
  }

  /** A retry takes over the messages and results of the run `from`. */
  copy(from: number, to: number): void {
    this.#sql.copy.run(to, from);
  }
}

function statements(db: DatabaseSync) {
  return {
    insert: db.prepare("INSERT INTO file_uses VALUES (?, ?) ON CONFLICT DO NOTHING"),
    copy: db.prepare("INSERT INTO file_uses SELECT file_id, ? FROM file_uses WHERE run_n = ? ON CONFLICT DO NOTHING"),
  } satisfies Record<string, StatementSync>;
}
