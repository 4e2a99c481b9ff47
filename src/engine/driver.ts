/** What a driver of the engine is, and what it is opened with. Each lies in a folder beside this file. */
import type { Engine, EngineLimits } from "./engine.ts";

export interface OpenOptions {
  readonly dataDir: string;
  readonly durability: "normal" | "full";
  readonly limits: EngineLimits;
  /** Postgres; without it the data is a file in `dataDir`. */
  readonly database?: DatabaseSettings | null;
  /** Which server opens it, and in which of its lives: see `Owner`. */
  readonly machine?: string;
  readonly boot?: string;
  /** Only this storage, as the primary opened it: one that came in its place meanwhile is refused with STORAGE_UNAVAILABLE. */
  readonly identity?: string;
}

export interface DatabaseSettings {
  readonly url: string;
  /** Where to listen for news: `url`, unless that leads to a pool of connections that cannot listen. */
  readonly listenUrl: string;
  /** Connections of each process at most, beside one that listens and one that notifies. */
  readonly pool: number;
}

/** Held by the primary while its tree runs, for a storage that only one tree may use. */
export interface Lock {
  release(): void;
}

export interface Driver {
  /** @throws AppError STORAGE_UNAVAILABLE when the data cannot be opened or is of a newer evenkeel */
  readonly open: (options: OpenOptions) => Promise<Engine>;
  /** @returns undefined when another tree has it. @throws Error that names the setting to change */
  readonly lock: (options: StorageName) => Lock | undefined | Promise<Lock | undefined>;
}

export type StorageName = Pick<OpenOptions, "dataDir" | "database">;
