/**
 * Files of users: a row each in the database, and the bytes beside it in `DATA_DIR/files/`, named by their content. A
 * row is written when the bytes are in place, and removed before they go: a row never lacks its bytes.
 */
import { existsSync, rmSync } from "node:fs";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { AppError } from "../../core/errors.ts";
import { fileNotFound, type StoredFile } from "../../core/file.ts";
import { flush } from "../flush.ts";
import { INCOMING, type FileFilter, type FilePage, type FileRange, type Files, type NewFile } from "../files.ts";
import { isSystemError, onDisk } from "../on-disk.ts";
import { assertRoom, toFilePage, type FileRow } from "../rules/files.ts";
import { inStorageTerms, storageError } from "./connection.ts";
import type { Disk } from "./disk.ts";
import type { SqliteConnections } from "./engine.ts";
import { LIMIT } from "./sql.ts";
import type { Writer } from "./writer.ts";

export interface FilesParts {
  readonly connections: SqliteConnections;
  readonly writer: Writer;
  readonly disk: Pick<Disk, "assertRoom">;
}

export class SqliteFiles implements Files {
  readonly #folder: string;
  readonly #writer: Writer;
  readonly #disk: Pick<Disk, "assertRoom">;
  readonly #reading: ReturnType<typeof readStatements>;
  readonly #writing: ReturnType<typeof writeStatements>;

  constructor({ connections, writer, disk }: FilesParts) {
    const { path, reading, writing } = connections;
    this.#folder = join(dirname(path), "files");
    this.#writer = writer;
    this.#disk = disk;
    this.#reading = readStatements(reading);
    this.#writing = writeStatements(writing);
  }

  async incoming(): Promise<string> {
    // Before the bytes are written: one upload could take the whole reserve.
    this.#disk.assertRoom();
    const folder = join(dirname(this.#folder), INCOMING);
    await onDisk(makeDurably(folder));
    return folder;
  }

  async save({ path, ...file }: NewFile): Promise<StoredFile> {
    const place = this.#placeOf(file.sha256);
    try {
      await onDisk(moveDurably(path, place));
      return await this.#writer.run(() => this.#insert(file, place));
    } catch (error) {
      // The bytes may be in their place without a row. While the storage fails, nothing can be removed.
      await this.#removeUnused(file.sha256).catch(() => {});
      throw error;
    } finally {
      // The file is gone already when the bytes were moved.
      await onDisk(rm(path, { force: true }));
    }
  }

  async find(fileId: string): Promise<StoredFile | undefined> {
    return inStorageTerms(() => this.#reading.byId.get(fileId) as StoredFile | undefined);
  }

  async list({ principal, limit, before = Number.MAX_SAFE_INTEGER }: FileFilter): Promise<FilePage> {
    return inStorageTerms(() => {
      const rows = this.#reading.listed.all(principal, before, limit) as unknown as FileRow[];
      const { bytes } = this.#reading.bytesOf.get(principal) as { bytes: number };
      return toFilePage(rows, limit, bytes);
    });
  }

  read(fileId: string): Promise<Buffer> {
    return this.#readBytes(fileId, (place) => readFile(place));
  }

  readRange(fileId: string, range: FileRange): Promise<Buffer> {
    return this.#readBytes(fileId, (place) => readRange(place, range));
  }

  async #readBytes(fileId: string, read: (place: string) => Promise<Buffer>): Promise<Buffer> {
    const file = await this.find(fileId);
    if (!file) throw fileNotFound(fileId);
    try {
      return await read(this.#placeOf(file.sha256));
    } catch (error) {
      // The file was removed since its row was read. Waiting, as for a disk that fails, would not bring it back.
      throw isSystemError(error) && error.code === "ENOENT" ? fileNotFound(fileId) : storageError(error);
    }
  }

  async remove(fileId: string): Promise<boolean> {
    const removed = await this.#writer.run(() => this.#writing.remove.get(fileId) as { sha256: string } | undefined);
    // A second transaction: bytes that are deleted cannot be rolled back.
    if (removed) await this.#removeUnused(removed.sha256);
    return removed !== undefined;
  }

  /** Removes those of the files that have been idle since before that time, and marks those that a run uses. */
  async removeIdle(fileIds: readonly string[], before: number): Promise<void> {
    const removed = await this.#writer.run(() => fileIds.flatMap((id) => this.#removeIfIdle(id, before) ?? []));
    // One at a time: the disk may take milliseconds for a large file, and others wait for the write lock.
    for (const sha256 of removed) await this.#removeUnused(sha256);
  }

  /** While this holds the write lock, no process removes the bytes: `#removeUnused` holds it, too. */
  #insert(file: StoredFile, place: string): StoredFile {
    this.#disk.assertRoom();
    const known = this.#writing.byContent.get(file.principal, file.sha256) as StoredFile | undefined;
    if (known) {
      // The caller may name it at once: it must not be removed as a file that was saved long ago.
      this.#writing.savedAgain.run(Date.now(), known.file_id);
      return known;
    }
    const { bytes } = this.#writing.bytesOf.get(file.principal) as { bytes: number };
    assertRoom(file, bytes);
    // Before the lock was held, another file of the same bytes may have been removed, and the bytes with it.
    if (!existsSync(place)) throw bytesLost();
    this.#writing.insert.run({ ...file, now: Date.now() });
    return file;
  }

  /** @returns the digest of the file's bytes when it was removed */
  #removeIfIdle(fileId: string, before: number): string | undefined {
    if (this.#writing.markUsed.run(fileId).changes > 0) return undefined;
    const removed = this.#writing.removeIdle.get(fileId, before) as { sha256: string } | undefined;
    return removed?.sha256;
  }

  #removeUnused(sha256: string): Promise<void> {
    return this.#writer.run(() => {
      if (!this.#writing.users.get(sha256)) rmSync(this.#placeOf(sha256), { force: true });
    });
  }

  #placeOf(sha256: string): string {
    return join(this.#folder, sha256.slice(0, 2), sha256);
  }
}

/** When it resolves, a power failure takes neither the bytes nor their name. */
async function moveDurably(path: string, place: string): Promise<void> {
  const folder = dirname(place);
  await flush(path);
  await makeDurably(folder);
  await rename(path, place);
  await flush(folder);
}

/** Makes the folder if it is missing. A power failure could take a folder whose name is not flushed, with all files in it. */
async function makeDurably(folder: string): Promise<void> {
  const made = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (made !== undefined) await flush(dirname(made));
}

async function readRange(path: string, { from, bytes }: FileRange): Promise<Buffer> {
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.allocUnsafeSlow(bytes), 0, bytes, from);
  return buffer.subarray(0, bytesRead);
}

function bytesLost(): AppError {
  return new AppError("STORAGE_UNAVAILABLE", "The file's bytes were lost while it was stored; send it again.", {
    retryAfterS: 1,
  });
}

const COLUMNS = "id AS file_id, principal, name, media_type, bytes, sha256, created_at";
const FILE = `SELECT ${COLUMNS} FROM files`;
const BYTES = "SELECT coalesce(sum(bytes), 0) AS bytes FROM files WHERE principal = ?";

function readStatements(db: DatabaseSync) {
  return {
    byId: db.prepare(`${FILE} WHERE id = ?`),
    listed: db.prepare(`SELECT n, ${COLUMNS} FROM files WHERE principal = ? AND n < ? ORDER BY n DESC ${LIMIT}`),
    bytesOf: db.prepare(BYTES),
  } satisfies Record<string, StatementSync>;
}

function writeStatements(db: DatabaseSync) {
  return {
    byContent: db.prepare(`${FILE} WHERE principal = ? AND sha256 = ?`),
    bytesOf: db.prepare(BYTES),
    insert: db.prepare(
      "INSERT INTO files (id, principal, name, media_type, bytes, sha256, created_at, idle_since, n) " +
        "VALUES (:file_id, :principal, :name, :media_type, :bytes, :sha256, :created_at, :now, " +
        "(SELECT coalesce(max(n), 0) + 1 FROM files WHERE principal = :principal))",
    ),
    savedAgain: db.prepare("UPDATE files SET idle_since = ? WHERE id = ?"),
    remove: db.prepare("DELETE FROM files WHERE id = ? RETURNING sha256"),
    markUsed: db.prepare(
      "UPDATE files SET idle_since = NULL WHERE id = ? AND EXISTS (SELECT 1 FROM file_uses WHERE file_id = files.id)",
    ),
    removeIdle: db.prepare("DELETE FROM files WHERE id = ? AND idle_since < ? RETURNING sha256"),
    users: db.prepare("SELECT 1 FROM files WHERE sha256 = ? LIMIT 1"),
  } satisfies Record<string, StatementSync>;
}
