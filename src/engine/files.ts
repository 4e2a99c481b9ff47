/**
 * Files of users: bytes stored once by content, and who may see them under which id. Part of the engine, because every
 * machine has to find them. A driver decides where the bytes are stored. Bounded per principal (`rules/files.ts`).
 */
import { join } from "node:path";
import type { StoredFile } from "../core/file.ts";
import type { ListPage } from "./engine.ts";

/** Below DATA_DIR: see `Files.incoming`. */
export const INCOMING = join("files", "incoming");

export interface NewFile extends StoredFile {
  /** A file with the bytes, below `incoming`. The driver takes the file away, whether or not it keeps the bytes. */
  readonly path: string;
}

export interface FileFilter {
  readonly principal: string;
  readonly limit: number;
  /** `next` of the page before: the list goes on from there. */
  readonly before?: number;
}

export interface FilePage extends ListPage<StoredFile> {
  /** Bytes of all files of the principal, not only of those on the page. */
  readonly bytes: number;
}

export interface FileRange {
  readonly from: number;
  readonly bytes: number;
}

export interface Files {
  /**
   * The folder for uploads that are not complete, on the same disk as the stored files. The first call makes it. Rejects
   * with STORAGE_FULL when the disk has no room for more files.
   */
  incoming(): Promise<string>;

  /**
   * Durable on return. Saving the same bytes for the same principal again returns the file that exists; `Engine.retain`
   * then keeps it as long as a new one. Rejects with FILES_FULL when the principal's files would take more than MAX_FILES_BYTES.
   */
  save(file: NewFile): Promise<StoredFile>;

  find(fileId: string): Promise<StoredFile | undefined>;

  /** The principal's files, the newest first. `next` is the `before` of the following page, null at the end. */
  list(filter: FileFilter): Promise<FilePage>;

  /** The file's bytes. Rejects with FILE_NOT_FOUND when there is no such file. */
  read(fileId: string): Promise<Buffer>;

  /**
   * Up to `bytes` of the file's bytes from a position on; fewer at its end. Rejects with FILE_NOT_FOUND when there is no
   * such file.
   */
  readRange(fileId: string, range: FileRange): Promise<Buffer>;

  /**
   * Also deletes the bytes, when no other file has the same bytes. Messages that name the file stay. False when there is
   * no such file.
   */
  remove(fileId: string): Promise<boolean>;
}
