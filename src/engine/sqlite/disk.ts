/**
 * Checks that the database's files are still those that were opened, and that the disk has room. A reserve file of 8 MB
 * lies beside the database. When the disk is full the reserve is given up, so that cancels, deletions and the last
 * events of runs can still be written. Until the reserve is back, writes that only add data are refused. One instance
 * for each open engine.
 */
import { renameSync, rmSync, statSync, truncateSync } from "node:fs";
import { open, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AppError, hasCode } from "../../core/errors.ts";
import { isFull } from "./connection.ts";

const RESERVE_BYTES = 8 * 1024 * 1024;
/** This much has to be free before the reserve is made again: the reserve must not fill the disk. */
const ROOM_BYTES = 2 * RESERVE_BYTES;
/** How long the result of a check of the file's name is used. [A check takes 2 µs.] */
const FRESH_MS = 500;

/** Within this time after another process gave the reserve up, a process that found the disk full may try again. */
const SPENT_JUST_NOW_MS = 500;

const RETRY_AFTER_S = 5;

export class Disk {
  readonly #path: string;
  readonly #reserve: string;
  /** The reserve is renamed to this when it is given up. */
  readonly #spent: string;
  readonly #identity: string | undefined;
  #sameUntil = 0;
  #roomUntil = 0;

  constructor(path: string) {
    this.#path = path;
    this.#reserve = join(dirname(path), "reserve");
    this.#spent = `${this.#reserve}.spent`;
    this.#identity = identityOf(path);
  }

  /** Identifies the files, whatever their names are. */
  get identity(): string {
    return this.#identity ?? "";
  }

  /** @throws AppError STORAGE_UNAVAILABLE when a file was deleted or replaced since it was opened */
  assertSame(): void {
    const now = performance.now();
    if (now < this.#sameUntil) return;
    if (identityOf(this.#path) !== this.#identity) throw replaced(this.#path);
    this.#sameUntil = now + FRESH_MS;
  }

  /** @throws AppError STORAGE_FULL while the reserve is given up */
  assertRoom(): void {
    const now = performance.now();
    if (now < this.#roomUntil) return;
    if (statSync(this.#spent, { throwIfNoEntry: false })) throw diskFull();
    this.#roomUntil = now + FRESH_MS;
  }

  /**
   * @returns whether there was a reserve, or another process gave it up just now: then the failed write may be tried
   * again
   */
  giveUpReserve(): boolean {
    this.#roomUntil = 0;
    try {
      renameSync(this.#reserve, this.#spent);
      truncateSync(this.#spent);
      return true;
    } catch {
      const spent = statSync(this.#spent, { throwIfNoEntry: false });
      return spent !== undefined && Date.now() - spent.ctimeMs < SPENT_JUST_NOW_MS;
    }
  }

  /**
   * Makes the reserve when it is missing and there is room again. Called every second. A kill may leave a part of the
   * reserve, or the reserve beside the name of the spent one: the next call finishes the work.
   */
  async keepReserve(): Promise<void> {
    if (sizeOf(this.#reserve) < RESERVE_BYTES && !(await this.#makeReserve())) return;
    rmSync(this.#spent, { force: true });
  }

  /** @returns whether there was room for it */
  async #makeReserve(): Promise<boolean> {
    const { bavail, bsize } = await statfs(dirname(this.#path));
    if (bavail * bsize < ROOM_BYTES) return false;
    try {
      await fill(this.#reserve);
      return true;
    } catch {
      // Another program took the room meanwhile.
      rmSync(this.#reserve, { force: true });
      return false;
    }
  }
}

/** Tries `work` once more without the reserve, if there is no room for the files that SQLite needs beside its own. */
export function withReserve<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const isForRoom = isFull(error) || hasCode(error, "STORAGE_FULL");
    if (!isForRoom || !new Disk(path).giveUpReserve()) throw error;
    return work();
  }
}

/** SQLite keeps them for as long as a connection is open: without them, later processes would begin a log of their own. */
const BESIDE = ["-wal", "-shm"];

/** Of the database and the files beside it that belong to it. @returns undefined when there is no database */
export function identityOf(path: string): string | undefined {
  const [database, ...beside] = ["", ...BESIDE].map((suffix) => inodeOf(path + suffix));
  return database && [database, ...beside].join(" ");
}

function inodeOf(path: string): string | undefined {
  const found = statSync(path, { throwIfNoEntry: false, bigint: true });
  return found && `${found.dev}:${found.ino}`;
}

export function replaced(path: string): AppError {
  const detail =
    `${path}, or its -wal or -shm file, was deleted or replaced while the server runs, so nothing is written any more. ` +
    "Stop the server, put the right file in its place, and start again.";
  return new AppError("STORAGE_UNAVAILABLE", detail, { retryAfterS: RETRY_AFTER_S });
}

function diskFull(): AppError {
  const detail = "The disk that holds DATA_DIR is full; free some space. Until then only cancel and delete work.";
  return new AppError("STORAGE_FULL", detail, { retryAfterS: RETRY_AFTER_S });
}

/** @returns 0 when there is no file */
function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** Writes real bytes: a file with holes reserves nothing. */
async function fill(path: string): Promise<void> {
  const file = await open(path, "w", 0o600);
  try {
    await file.writeFile(Buffer.alloc(RESERVE_BYTES, "reserve of evenkeel "));
    await file.sync();
  } finally {
    await file.close();
  }
}
