/** The one place that chooses an engine driver. A driver is loaded when it is chosen. */
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
  readonly lock: (options: StorageName) => Lock | undefined;
}

type StorageName = Pick<OpenOptions, "dataDir" | "database">;

const DRIVERS = {
  postgres: async () => (await import("./postgres/driver.ts")).postgres,
  sqlite: async () => (await import("./sqlite/driver.ts")).sqlite,
} satisfies Record<string, () => Promise<Driver>>;

export async function openEngine(options: OpenOptions): Promise<Engine> {
  const driver = await driverOf(options);
  return driver.open(options);
}

/** See `Driver.lock`. */
export async function lockStorage(options: StorageName): Promise<Lock | undefined> {
  const driver = await driverOf(options);
  return driver.lock(options);
}

function driverOf({ database }: StorageName): Promise<Driver> {
  return database ? DRIVERS.postgres() : DRIVERS.sqlite();
}
