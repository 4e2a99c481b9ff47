/**
 * Brings a database file up to date. `PRAGMA user_version` says how many migrations were applied; a file written by a
 * newer evenkeel is refused.
 */
import type { DatabaseSync } from "node:sqlite";
import { AppError } from "../../core/errors.ts";
import { isWrongStatement } from "./connection.ts";
import { MIGRATIONS } from "./migrations.ts";

/**
 * How long a process that migrates waits for the writers of an older version: after an upgrade of the files in place,
 * they serve on beside it. SQLite's own wait blocks the event loop, but this process does not serve yet. Shorter than
 * the silence after which a process is killed.
 */
const LOCK_WAIT_MS = 3_000;

/** Brings the file up to date. The primary does so first; mostly its children find nothing left to do. */
export function migrate(db: DatabaseSync): void {
  if (missingIn(db).length === 0) return;
  db.exec(`PRAGMA busy_timeout = ${LOCK_WAIT_MS}`);
  db.exec("BEGIN IMMEDIATE");
  try {
    // Look again: another process may have migrated while this one waited.
    for (const sql of missingIn(db)) db.exec(sql);
    db.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
    db.exec("COMMIT");
  } catch (error) {
    // After some errors (a full disk) SQLite has already rolled back.
    if (db.isTransaction) db.exec("ROLLBACK");
    throw isWrongStatement(error) ? foreignFile(error) : error;
  }
  db.exec("PRAGMA busy_timeout = 0");
}

/** The migrations that were not applied. @throws AppError STORAGE_UNAVAILABLE when a newer evenkeel wrote the file */
function missingIn(db: DatabaseSync): readonly string[] {
  const { user_version: applied } = db.prepare("PRAGMA user_version").get() as { user_version: number };
  if (applied > MIGRATIONS.length) throw newerFile(applied);
  return MIGRATIONS.slice(applied);
}

/** Our statements fit our own tables. @param cause names the table that is in the way, or is missing */
function foreignFile(cause: unknown): AppError {
  return new AppError(
    "STORAGE_UNAVAILABLE",
    "evenkeel.db has tables of another program; move it away, or point DATA_DIR elsewhere.",
    { cause },
  );
}

function newerFile(version: number): AppError {
  return new AppError(
    "STORAGE_UNAVAILABLE",
    `The data was written by a newer evenkeel (schema ${version}, this one knows ${MIGRATIONS.length}). ` +
      "Start that version, or point DATA_DIR at another folder.",
  );
}
