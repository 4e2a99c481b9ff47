/**
 * Files of users in the database, where every machine finds them: a row for each file, and the bytes once for each
 * content.
 */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileNotFound, type StoredFile } from "../../core/file.ts";
import { INCOMING, type FileFilter, type FilePage, type FileRange, type Files, type NewFile } from "../files.ts";
import { onDisk } from "../on-disk.ts";
import { makePrivateFolder } from "../private-folder.ts";
import { assertRoom, toFilePage, type FileRow } from "../rules/files.ts";
import type { Database, Queryable } from "./database.ts";

const COLUMNS = "id AS file_id, principal, name, media_type, bytes, sha256, created_at";
const FILE = `SELECT ${COLUMNS} FROM files`;
/** Writes of one content wait for each other: the lock is held until the commit. */
const LOCK_CONTENT = "SELECT pg_advisory_xact_lock(731015521, hashtext($1))";
/** Only one transaction at a time counts the bytes of a principal. */
const LOCK_PRINCIPAL = "SELECT pg_advisory_xact_lock(731015522, hashtext($1))";
const HOLD = "SELECT id FROM files WHERE id = ANY($1::text[]) ORDER BY id FOR KEY SHARE";
const LOCK_IDLE = "SELECT id FROM files WHERE id = $1 AND idle_since < $2 FOR UPDATE";
/** An older evenkeel leaves behind the uses of the runs that it removes: they do not count. */
const MARK_USED =
  "UPDATE files SET idle_since = NULL WHERE id = $1 AND EXISTS " +
  "(SELECT 1 FROM file_uses u JOIN runs r ON r.n = u.run_n WHERE u.file_id = $1) RETURNING id";

export class PostgresFiles implements Files {
  readonly #database: Database;
  readonly #folder: string;

  /** @param dataDir a folder of this machine, for uploads that are not complete */
  constructor(database: Database, dataDir: string) {
    this.#database = database;
    this.#folder = join(dataDir, INCOMING);
  }

  async incoming(): Promise<string> {
    await onDisk(Promise.try(() => makePrivateFolder(this.#folder)));
    return this.#folder;
  }

  async save({ path, ...file }: NewFile): Promise<StoredFile> {
    try {
      const content = await onDisk(readFile(path));
      return await this.#database.transaction(async (db) => {
        const stored = await insert(db, file, content);
        return { statements: [], result: () => stored };
      });
    } finally {
      await onDisk(rm(path, { force: true }));
    }
  }

  async find(fileId: string): Promise<StoredFile | undefined> {
    const [file] = await this.#database.query<StoredFile>(`${FILE} WHERE id = $1`, [fileId]);
    return file;
  }

  async list({ principal, limit, before = Number.MAX_SAFE_INTEGER }: FileFilter): Promise<FilePage> {
    const rows = await this.#database.query<FileRow>(
      `SELECT n, ${COLUMNS} FROM files WHERE principal = $1 AND n < $2 ORDER BY n DESC LIMIT $3::integer`,
      [principal, before, limit],
    );
    return toFilePage(rows, limit, await bytesOf(this.#database, principal));
  }

  read(fileId: string): Promise<Buffer> {
    return this.#content("content", [fileId]);
  }

  /** The column is not compressed, so only the pages of the range are read. */
  readRange(fileId: string, { from, bytes }: FileRange): Promise<Buffer> {
    return this.#content("substring(content FROM $2::integer FOR $3::integer) AS content", [fileId, from + 1, bytes]);
  }

  async #content(column: string, parameters: readonly [fileId: string, ...range: number[]]): Promise<Buffer> {
    const [row] = await this.#database.query<{ content: Buffer }>(
      `SELECT ${column} FROM file_contents WHERE sha256 = (SELECT sha256 FROM files WHERE id = $1)`,
      [...parameters],
    );
    if (!row) throw fileNotFound(parameters[0]);
    return row.content;
  }

  remove(fileId: string): Promise<boolean> {
    return this.#database.transaction(async (db) => {
      const isRemoved = await remove(db, fileId);
      return { statements: [], result: () => isRemoved };
    });
  }
}

/** Removes the file if it has been idle since before that time, or marks that a run uses it. */
export function removeIfIdle(database: Database, fileId: string, before: number): Promise<boolean> {
  return database.transaction(async (db) => {
    const isRemoved = await remove(db, fileId, () => isIdle(db, fileId, before));
    return { statements: [], result: () => isRemoved };
  });
}

/**
 * Keeps the files from being removed before this transaction ends, which stores a run that uses them.
 * @throws AppError FILE_NOT_FOUND
 */
export async function holdFiles(db: Queryable, fileIds: readonly string[]): Promise<void> {
  if (fileIds.length === 0) return;
  const held = await db.query<{ id: string }>(HOLD, [fileIds]);
  const missing = fileIds.find((fileId) => !held.some(({ id }) => id === fileId));
  if (missing !== undefined) throw fileNotFound(missing);
}

async function isIdle(db: Queryable, fileId: string, before: number): Promise<boolean> {
  const locked = await db.query(LOCK_IDLE, [fileId, before]);
  if (locked.length === 0) return false;
  // A statement of its own: it sees the uses of every run that held the file before.
  const used = await db.query(MARK_USED, [fileId]);
  return used.length === 0;
}

/**
 * The locks come first: a caller that saves the same bytes meanwhile must not get an id that is about to be deleted.
 * @param isWanted asked under the locks
 */
async function remove(db: Queryable, fileId: string, isWanted = async () => true): Promise<boolean> {
  const [file] = await db.query<StoredFile>(`${FILE} WHERE id = $1`, [fileId]);
  if (!file) return false;
  await db.query(LOCK_PRINCIPAL, [file.principal]);
  await db.query(LOCK_CONTENT, [file.sha256]);
  if (!(await isWanted())) return false;
  const removed = await db.query("DELETE FROM files WHERE id = $1 RETURNING id", [fileId]);
  await db.query("DELETE FROM file_contents WHERE sha256 = $1 AND NOT EXISTS (SELECT 1 FROM files WHERE sha256 = $1)", [
    file.sha256,
  ]);
  return removed.length > 0;
}

async function insert(db: Queryable, file: StoredFile, content: Buffer): Promise<StoredFile> {
  await db.query(LOCK_PRINCIPAL, [file.principal]);
  await db.query(LOCK_CONTENT, [file.sha256]);
  const [known] = await db.query<StoredFile>(`${FILE} WHERE principal = $1 AND sha256 = $2`, [
    file.principal,
    file.sha256,
  ]);
  if (known) {
    // The caller may name it at once: it must not be removed as a file that was saved long ago.
    await db.query("UPDATE files SET idle_since = $2 WHERE id = $1", [known.file_id, Date.now()]);
    return known;
  }
  assertRoom(file, await bytesOf(db, file.principal));
  await db.query("INSERT INTO file_contents VALUES ($1, $2) ON CONFLICT DO NOTHING", [file.sha256, content]);
  await db.query(
    "INSERT INTO files (id, principal, name, media_type, bytes, sha256, created_at, idle_since) " +
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    [file.file_id, file.principal, file.name, file.media_type, file.bytes, file.sha256, file.created_at, Date.now()],
  );
  return file;
}

async function bytesOf(db: Queryable, principal: string): Promise<number> {
  const sum = "SELECT coalesce(sum(bytes), 0)::bigint AS bytes FROM files WHERE principal = $1";
  const [taken] = await db.query<{ bytes: number }>(sum, [principal]);
  return taken?.bytes ?? 0;
}
