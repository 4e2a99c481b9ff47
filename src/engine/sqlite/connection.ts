/**
 * Opening a SQLite file the way this driver needs it, and refusing the versions that corrupt it.
 * Called by `open.ts` for the writing and the reading connection of each process.
 */
import { DatabaseSync } from "node:sqlite";
import { AppError, type ErrorCode } from "../../core/errors.ts";
import { DISK_FAILED, DISK_FULL, diskError, isNoRoom } from "../on-disk.ts";

/** The size that the WAL file may keep when it begins anew; it grows larger in a burst, or behind a slow reader. */
const WAL_KEPT_BYTES = 16 * 1024 * 1024;

const BUSY_RETRY_MS = { from: 1, to: 9 };

export interface ConnectionOptions {
  readonly path: string;
  readonly durability: "normal" | "full";
}

export function connect({ path, durability }: ConnectionOptions): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    // Busy timeout 0: SQLite's own wait would block the event loop. The writer retries asynchronously instead.
    db = new DatabaseSync(path, { timeout: 0 });
    // Must be set before there is a table. Without it, `retention.ts` can never give free pages back.
    if (isEmpty(db)) db.exec("PRAGMA auto_vacuum = INCREMENTAL");
    // secure_delete: deleted data is overwritten where that takes no additional write.
    db.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA secure_delete = FAST;
      PRAGMA synchronous = ${durability};
      PRAGMA wal_autocheckpoint = 0;
      PRAGMA journal_size_limit = ${WAL_KEPT_BYTES};
      PRAGMA cache_size = -16000;
      PRAGMA temp_store = MEMORY;
    `);
    return db;
  } catch (error) {
    db?.close();
    throw storageError(error);
  }
}

function isEmpty(db: DatabaseSync): boolean {
  const { page_count: pages } = db.prepare("PRAGMA page_count").get() as { page_count: number };
  return pages === 0;
}

/**
 * SQLite 3.7.0–3.51.2 and 3.52.0 can corrupt a WAL database when one process checkpoints while another begins to write
 * (the WAL-reset bug, https://sqlite.org/wal.html#walresetbug), and our processes do just that.
 */
export function assertSafeVersion(version: string): void {
  const [major = 0, minor = 0, patch = 0] = version.split(".").map(Number);
  const number = major * 1_000_000 + minor * 1_000 + patch;
  const unsafe = (number >= 3_007_000 && number <= 3_051_002) || number === 3_052_000;
  if (!unsafe) return;
  throw new AppError(
    "STORAGE_UNAVAILABLE",
    `This Node brings SQLite ${version}, which can corrupt a database that several processes share. ` +
      "Use a Node with SQLite 3.51.3 or newer (not 3.52.0): the one npm installed is node_modules/.bin/node.",
  );
}

// Primary result codes, https://sqlite.org/rescode.html
const WRONG_STATEMENT = 1;
const BUSY = 5;
const CORRUPT = 11;
const FULL = 13;
const NO_DATABASE = 26;
/** The file that readers and writers share cannot grow: https://sqlite.org/rescode.html#ioerr_shmsize */
const SHARED_MEMORY_FULL = 4_874;
const CODES: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  [BUSY]: ["STORAGE_UNAVAILABLE", "Another process holds the database for too long."],
  8: ["STORAGE_UNAVAILABLE", "The data directory is read-only; make it writable."],
  10: ["STORAGE_UNAVAILABLE", DISK_FAILED],
  [CORRUPT]: [
    "STORAGE_UNAVAILABLE",
    "The database file is corrupt; restore a copy, or point DATA_DIR at another folder.",
  ],
  [FULL]: ["STORAGE_FULL", DISK_FULL],
  14: ["STORAGE_UNAVAILABLE", "The database file cannot be opened; check DATA_DIR and its permissions."],
  [NO_DATABASE]: [
    "STORAGE_UNAVAILABLE",
    "evenkeel.db is not a SQLite database; move it away, or point DATA_DIR elsewhere.",
  ],
};

/** Read-only, corrupt, no database: only a person can change that. */
const LASTING: ReadonlySet<number> = new Set([8, 11, 26]);

/** Turns an error of node:sqlite, or of the file system, into one of ours; other errors are returned unchanged. */
export function storageError(error: unknown): unknown {
  const code = resultCode(error);
  const known = CODES[code];
  if (!known) return diskError(error);
  return new AppError(known[0], known[1], { cause: error, ...(!LASTING.has(code) && { retryAfterS: 5 }) });
}

/** @throws what `storageError` makes of an error of `work` */
export function inStorageTerms<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw storageError(error);
  }
}

/**
 * How long to wait before trying a taken lock again. The wait is outside of SQLite, with jitter, so that processes do
 * not meet again.
 */
export function busyRetryMs(): number {
  return BUSY_RETRY_MS.from + Math.random() * (BUSY_RETRY_MS.to - BUSY_RETRY_MS.from);
}

export function isBusy(error: unknown): boolean {
  return resultCode(error) === BUSY;
}

/** Whether a statement does not fit the tables of the file. */
export function isWrongStatement(error: unknown): boolean {
  return resultCode(error) === WRONG_STATEMENT;
}

/** Any error that SQLite itself raised, whatever it means. */
export function isSqliteError(error: unknown): boolean {
  return resultCode(error) !== 0;
}

/** A part of the file is not what it has to be, or the whole is no database. */
export function isCorrupt(error: unknown): boolean {
  return [CORRUPT, NO_DATABASE].includes(resultCode(error));
}

export function isFull(error: unknown): boolean {
  return isNoRoom(error) || resultCode(error) === FULL;
}

function resultCode(error: unknown): number {
  if (!(error instanceof Error)) return 0;
  const { errcode = 0 } = error as { readonly errcode?: number };
  return errcode === SHARED_MEMORY_FULL ? FULL : errcode & 0xff;
}
