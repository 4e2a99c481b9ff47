/**
 * Files of users: bytes stored once by content, and who may see them under which id. Part of the engine, as every
 * machine has to find them; a driver decides where the bytes lie. Bounded per principal (`rules/files.ts`).
 */
import type { StoredFile } from "../core/file.ts";

export interface NewFile extends StoredFile {
  /** A file below `incoming` with the bytes. The driver takes it, whether or not it keeps the bytes. */
  readonly path: string;
}

export interface Files {
  /** A folder for uploads that are not complete, on the same disk as the stored files. It is made at the first call. */
  incoming(): Promise<string>;

  /**
   * Durable on return. The same bytes of the same principal again return the file that is there.
   * Rejects with FILES_FULL when the principal's files would take more than MAX_FILES_BYTES.
   */
  save(file: NewFile): Promise<StoredFile>;

  find(fileId: string): Promise<StoredFile | undefined>;

  /** Its bytes. Rejects with FILE_NOT_FOUND when there is no such file. */
  read(fileId: string): Promise<Buffer>;

  /** The bytes go when no other file has the same. False when there is no such file. */
  remove(fileId: string): Promise<boolean>;
}
