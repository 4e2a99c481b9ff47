/** `evenkeel backup FILE`: a whole copy of the SQLite database, made while the server writes to it. */
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { isFull, storageError } from "../engine/sqlite/connection.ts";
import { CliError } from "./connection.ts";
import { writeNewFile } from "./new-file.ts";
import { placeOf, type StorageOptions } from "./storage.ts";

export async function backUp(file: string, { data, database }: StorageOptions): Promise<void> {
  if (database !== undefined)
    throw new CliError(
      `The data is in ${placeOf({ data, database })}: back it up with pg_dump, or as your provider does. For a file, name its folder with --data.`,
    );
  const source = join(data, "evenkeel.db");
  if (!existsSync(source)) throw new CliError(`There is no ${source}; name the server's DATA_DIR with --data.`);
  const pages = await writeNewFile(file, (path) => copy(source, path));
  process.stdout.write(
    `${file}: ${pages} pages. Files of users are in ${join(data, "files")}; copy that folder too.\n`,
  );
}

/** @returns the number of pages */
async function copy(source: string, path: string): Promise<number> {
  try {
    using db = new DatabaseSync(source, { readOnly: true });
    return await backup(db, path);
  } catch (error) {
    // SQLite leaves the journal of a copy that it could not end.
    await rm(`${path}-journal`, { force: true });
    // The copy does not fit: the source is only read.
    throw isFull(error) ? error : storageError(error);
  }
}
