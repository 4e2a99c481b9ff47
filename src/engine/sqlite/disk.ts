/**
 * Looks under the database: whether its file is still the one that was opened, and whether there is room. A reserve of 8 MB
 * lies beside it. When the disk is full the reserve is given up, so that a cancel, a deletion and the last words of runs can
 * still be written; until it is back, what only adds to the data is refused. One for each open engine.
 */
import { renameSync, rmSync, statSync, truncateSync } from "node:fs";
import { open, rm, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AppError, hasCode } from "../../core/errors.ts";
import { isFull } from "./connection.ts";

const RESERVE_BYTES = 8 * 1024 * 1024;
/** So much has to be free before the reserve is taken again: it must not be what fills the disk. */
const ROOM_BYTES = 2 * RESERVE_BYTES;
/** How long a look at the file's name counts. [2 µs each.] */
const FRESH_MS = 500;

/** Within this time a process that found the disk full was slower than the one that gave the reserve up. */
const SPENT_JUST_NOW_MS = 500;

const RETRY_AFTER_S = 5;

export class Disk {
  readonly #path: string;
  readonly #reserve: string;
  /** In place of the reserve once it was given up. */
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

  /** Names the file, however it is called. */
  get identity(): string {
    return this.#identity ?? "";
  }

  /** @throws AppError STORAGE_UNAVAILABLE when the file was deleted or replaced since it was opened */
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

  /** @returns whether there was one, or another process gave it up just now: then what failed may be tried again */
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

  /** Makes the reserve when it is not there and there is room again. Called every second. */
  async keepReserve(): Promise<void> {
    if (await sizeOf(this.#reserve)) return;
    const { bavail, bsize } = await statfs(dirname(this.#path));
    if (bavail * bsize < ROOM_BYTES) return;
    try {
      await fill(this.#reserve);
    } catch {
      // Somebody else took the room meanwhile.
      rmSync(this.#reserve, { force: true });
      return;
    }
    await rm(this.#spent, { force: true });
  }
}

/** Once more without the reserve, if there is no room for the files that SQLite needs beside its own. */
export function withReserve<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const isForRoom = isFull(error) || hasCode(error, "STORAGE_FULL");
    if (!isForRoom || !new Disk(path).giveUpReserve()) throw error;
    return work();
  }
}

/** @returns undefined when there is no such file */
export function identityOf(path: string): string | undefined {
  const found = statSync(path, { throwIfNoEntry: false, bigint: true });
  return found && `${found.dev}:${found.ino}`;
}

export function replaced(path: string): AppError {
  const detail =
    `${path} was deleted or replaced while the server runs, so nothing is written any more. ` +
    "Stop the server, put the right file in its place, and start again.";
  return new AppError("STORAGE_UNAVAILABLE", detail, { retryAfterS: RETRY_AFTER_S });
}

function diskFull(): AppError {
  const detail = "The disk that holds DATA_DIR is full; free some space. Until then only cancel and delete work.";
  return new AppError("STORAGE_FULL", detail, { retryAfterS: RETRY_AFTER_S });
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

/** With bytes: a file with holes reserves nothing. */
async function fill(path: string): Promise<void> {
  const file = await open(path, "w", 0o600);
  try {
    await file.writeFile(Buffer.alloc(RESERVE_BYTES, "reserve of evenkeel "));
    await file.sync();
  } finally {
    await file.close();
  }
}
