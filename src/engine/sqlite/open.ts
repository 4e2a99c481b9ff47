/** Opens (or creates) `DATA_DIR/evenkeel.db`. Called through `engine/open.ts` only. */
import { join } from "node:path";
import { AppError } from "../../core/errors.ts";
import { DATABASE_FILE, type OpenOptions } from "../driver.ts";
import { makePrivateFolder } from "../private-folder.ts";
import { assertSafeVersion, connect, storageError } from "./connection.ts";
import { identityOf, replaced, withReserve } from "./disk.ts";
import { SqliteEngine } from "./engine.ts";
import { makePrivate } from "./private-files.ts";
import { migrate } from "./schema.ts";

/** @throws AppError STORAGE_UNAVAILABLE when the folder, the file or this SQLite cannot be used */
export async function openSqliteEngine(options: OpenOptions): Promise<SqliteEngine> {
  const { dataDir, identity } = options;
  assertSafeVersion(process.versions.sqlite ?? "0");
  const path = join(dataDir, DATABASE_FILE);
  if (identity !== undefined && identityOf(path) !== identity) throw replaced(path);
  makeFolder(dataDir);
  makePrivate(path);
  return withReserve(path, () => openAt(path, options));
}

function openAt(path: string, { durability, limits }: OpenOptions): SqliteEngine {
  const writing = connect({ path, durability });
  try {
    migrate(writing);
    const reading = connect({ path, durability });
    return new SqliteEngine({ path, writing, reading }, limits);
  } catch (error) {
    writing.close();
    throw storageError(error);
  }
}

function makeFolder(dataDir: string): void {
  try {
    makePrivateFolder(dataDir);
  } catch (cause) {
    throw new AppError("STORAGE_UNAVAILABLE", `DATA_DIR ${dataDir} cannot be created; name a writable folder.`, {
      cause,
    });
  }
}
