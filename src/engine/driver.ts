/** What a driver of the engine is, and the options it is opened with. Each driver lies in a folder beside this file. */
import type { Engine, EngineLimits } from "./engine.ts";

/** The file of the SQLite driver in `dataDir`. */
export const DATABASE_FILE = "evenkeel.db";

export interface OpenOptions {
  readonly dataDir: string;
  readonly durability: "normal" | "full";
  readonly limits: EngineLimits;
  /** The Postgres database. Without it, the data is a file in `dataDir`. */
  readonly database?: DatabaseSettings | null;
  /** The server that opens the storage, and which of its starts this is: see `Owner`. */
  readonly machine?: string;
  readonly boot?: string;
  /**
   * Opens only this storage, as the primary opened it. A storage that has replaced it since is refused with
   * STORAGE_UNAVAILABLE.
   */
  readonly identity?: string;
}

export interface DatabaseSettings {
  readonly url: string;
  /** The address to tell and hear news at. It is `url`, unless `url` leads to a pool whose connections cannot listen. */
  readonly listenUrl: string;
  /** The Redis that carries the news, in place of Postgres's NOTIFY. */
  readonly redisUrl?: string;
  /** The most connections of each process, beside the two of NOTIFY: one that listens and one that notifies. */
  readonly pool: number;
  /** False: statements are not prepared, for a pool that cannot keep them. True by default. */
  readonly prepare?: boolean;
}

/** Held by the primary while its processes run, for a storage that only one server may use at a time. */
export interface Lock {
  release(): void;
}

export interface Driver {
  /** @throws AppError STORAGE_UNAVAILABLE when the data cannot be opened, or was written by a newer evenkeel */
  readonly open: (options: OpenOptions) => Promise<Engine>;
  /** @returns undefined when another server holds the lock. @throws Error that names the setting to change */
  readonly lock: (options: StorageName) => Lock | undefined | Promise<Lock | undefined>;
}

export type StorageName = Pick<OpenOptions, "dataDir" | "database">;
