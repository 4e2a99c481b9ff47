/**
 * Files of users: bytes stored once by content, and who may see them under which id. Part of the engine, as every
 * machine has to find them; a driver decides where the bytes lie. Bounded per principal (`rules/files.ts`).
 */
import type { StoredFile } from "../core/file.ts";
import type { Page } from "./engine.ts";

export interface NewFile extends StoredFile {
  /** A file below `incoming` with the bytes. The driver takes it, whether or not it keeps the bytes. */
  readonly path: string;
}

export interface FileFilter {
  readonly principal: string;
  readonly limit: number;
  /** `next` of the page that follows. */
  readonly before?: number;
}

export interface FilePage extends Page<StoredFile> {
  /** What all files of the principal take, not only those of the page. */
  readonly bytes: number;
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

  /** The principal's files, the one stored last first. `next` is the `before` of the following page, null at the end. */
  list(filter: FileFilter): Promise<FilePage>;

  /** Its bytes. Rejects with FILE_NOT_FOUND when there is no such file. */
  read(fileId: string): Promise<Buffer>;

  /** The bytes go when no other file has the same. False when there is no such file. */
  remove(fileId: string): Promise<boolean>;
}
