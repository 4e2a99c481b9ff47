/**
 * Only the user who owns the database may access its files. Any local user who may read `evenkeel.db-shm` could take
 * its locks and so stop all writes. Called before the database is opened.
 */
import { chmodSync, closeSync, openSync, statSync } from "node:fs";

const PRIVATE_FILE = 0o600;
const OTHERS = 0o077;
const WRITE_BY_ALL = 0o002;

/** @throws Error that says what to do, when every user of the machine could replace our files with theirs */
export function assertNotPublic(folder: string): void {
  const found = statSync(folder, { throwIfNoEntry: false });
  // Windows has no such permission bits.
  if (!found?.isDirectory() || process.platform === "win32" || (found.mode & WRITE_BY_ALL) === 0) return;
  throw new Error(`DATA_DIR ${folder} can be written to by every user of this machine. Run: chmod o-w ${folder}`);
}

/** Creates the database file, if there is none, so that SQLite gives its other files the same mode. Never throws. */
export function makePrivate(path: string): void {
  // Open only a new file here: closing a file that this process has open in SQLite would drop its locks (POSIX). If it
  // cannot be created, opening the database reports that in better words.
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
    // The file does not exist, or belongs to another user.
  }
}
