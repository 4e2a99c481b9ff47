/**
 * Brings a database file up to date. `PRAGMA user_version` says how many migrations were applied; a file written by a
 * newer evenkeel is refused.
 */
import type { DatabaseSync } from "node:sqlite";
import { AppError } from "../../core/errors.ts";
import { MIGRATIONS } from "./migrations.ts";

/** Brings the file up to date. The primary does so first; its children find nothing left to do. */
export function migrate(db: DatabaseSync): void {
  const applied = versionOf(db);
  if (applied > MIGRATIONS.length) throw newerFile(applied);
  if (applied === MIGRATIONS.length) return;
  db.exec("BEGIN IMMEDIATE");
  try {
    for (const sql of MIGRATIONS.slice(applied)) db.exec(sql);
    db.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
    db.exec("COMMIT");
  } catch (error) {
    db.exec("ROLLBACK");
    throw error;
  }
}

function versionOf(db: DatabaseSync): number {
  const row = db.prepare("PRAGMA user_version").get() as { user_version: number };
  return row.user_version;
}

function newerFile(version: number): AppError {
  return new AppError(
    "STORAGE_UNAVAILABLE",
    `The data was written by a newer evenkeel (schema ${version}, this one knows ${MIGRATIONS.length}). ` +
      "Start that version, or point DATA_DIR at another folder.",
  );
}
