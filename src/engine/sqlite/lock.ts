/**
 * One primary per data directory. The lock is SQLite's own file lock: the kernel drops it when the process ends,
 * however it ends, so a `kill -9` never leaves a stale lock behind.
 *
 * A lock belongs to a file, not to its name: if somebody removed the lock file under a running server, a second server
 * could lock a new file of that name. So a database without a lock file counts as free only if nobody has it open.
 */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { DATABASE_FILE, type Lock } from "../driver.ts";
import { isNoRoom, isSystemError } from "../on-disk.ts";
import { makePrivateFolder } from "../private-folder.ts";
import { isBusy, storageError } from "./connection.ts";
import { withReserve } from "./disk.ts";
import { assertNotPublic, makePrivate } from "./private-files.ts";

const LOCK_FILE = "primary.lock";

/**
 * @returns undefined when another process holds the lock. @throws Error that names DATA_DIR, when the folder cannot or
 * should not be used
 */
export function lockFolder(folder: string): Lock | undefined {
  const file = join(folder, LOCK_FILE);
  assertNotPublic(folder);
  const isNew = !existsSync(file);
  const db = openIn(folder);
  if (isNew && isOpenElsewhere(join(folder, DATABASE_FILE))) {
    db.close();
    // Remove the file, because the next start must look again.
    rmSync(file, { force: true });
    return undefined;
  }
  try {
    // Locking writes a journal, which needs room on the disk.
    withReserve(join(folder, DATABASE_FILE), () => db.exec("BEGIN EXCLUSIVE"));
  } catch (error) {
    db.close();
    if (isBusy(error)) return undefined;
    throw cannotUse(folder, error);
  }
  return { release: () => db.isOpen && db.close() };
}

/**
 * Only the sole connection of a database may leave WAL mode. The driver enters WAL mode again when it opens the
 * database.
 */
function isOpenElsewhere(file: string): boolean {
  if (!existsSync(file)) return false;
  try {
    using db = new DatabaseSync(file, { timeout: 0 });
    db.exec("PRAGMA journal_mode = DELETE");
    return false;
  } catch (error) {
    // Any other fault of the file is reported when it is opened.
    return isBusy(error);
  }
}

function openIn(folder: string): DatabaseSync {
  try {
    makePrivateFolder(folder);
    makePrivate(join(folder, LOCK_FILE));
    return new DatabaseSync(join(folder, LOCK_FILE), { timeout: 0 });
  } catch (error) {
    throw cannotUse(folder, error);
  }
}

function cannotUse(folder: string, cause: unknown): Error {
  // A system error itself names the call and the path.
  const known = isSystemError(cause) && !isNoRoom(cause) ? cause : storageError(cause);
  const reason = known instanceof Error ? known.message : String(known);
  return new Error(`DATA_DIR ${folder} cannot be used (${reason}). Name a folder that this user can write to.`, {
    cause,
  });
}
