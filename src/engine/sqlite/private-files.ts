/**
 * The database's files belong to their user alone. Any local user who may read `evenkeel.db-shm` could take its locks and
 * stop all writes, whatever the file says. Called before the database is opened.
 */
import { chmodSync, closeSync, openSync, statSync } from "node:fs";

export const PRIVATE_FOLDER = 0o700;
const PRIVATE_FILE = 0o600;
const OTHERS = 0o077;
const WRITE_BY_ALL = 0o002;

/** @throws Error that says what to do, when every user of the machine could put files of their own in place of ours */
export function assertNotPublic(folder: string): void {
  const found = statSync(folder, { throwIfNoEntry: false });
  // Windows has no such bits.
  if (!found?.isDirectory() || process.platform === "win32" || (found.mode & WRITE_BY_ALL) === 0) return;
  throw new Error(`DATA_DIR ${folder} can be written to by every user of this machine. Run: chmod o-w ${folder}`);
}

/** Creates the database file, if there is none, so that SQLite gives its other files the same mode. Never throws. */
export function makePrivate(path: string): void {
  // Only a new file is opened here: to close one that this process has open in SQLite would drop its locks (POSIX). What
  // cannot be created is told by opening it, in better words.
  attempt(() => closeSync(openSync(path, "wx", PRIVATE_FILE)));
  for (const file of [path, `${path}-wal`, `${path}-shm`]) {
    attempt(() => {
      if (statSync(file).mode & OTHERS) chmodSync(file, PRIVATE_FILE);
    });
  }
}

function attempt(work: () => void): void {
  try {
    work();
  } catch {
    // Not there, or not ours to change.
  }
}
