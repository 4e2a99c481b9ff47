/** `evenkeel backup FILE`: a whole copy of the SQLite database, made while the server writes to it. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { CliError } from "./connection.ts";
import { placeOf, type StorageOptions } from "./storage.ts";

export async function backUp(file: string, { data, database }: StorageOptions): Promise<void> {
  if (database !== undefined)
    throw new CliError(
      `The data is in ${placeOf({ data, database })}: back it up with pg_dump, or as your provider does. For a file, name its folder with --data.`,
    );
  const source = join(data, "evenkeel.db");
  if (!existsSync(source)) throw new CliError(`There is no ${source}; name the server's DATA_DIR with --data.`);
  if (existsSync(file)) throw new CliError(`${file} is there already; name another file.`);
  using db = new DatabaseSync(source, { readOnly: true });
  const pages = await backup(db, file);
  process.stdout.write(
    `${file}: ${pages} pages. Files of users are in ${join(data, "files")}; copy that folder too.\n`,
  );
}
