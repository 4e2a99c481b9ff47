/** The one place that chooses an engine driver. A driver is loaded when it is chosen. */
import type { Engine, EngineLimits } from "./engine.ts";

export interface OpenOptions {
  readonly dataDir: string;
  readonly durability: "normal" | "full";
  readonly limits: EngineLimits;
}

/** Held by the primary while its tree runs, for a storage that only one tree may use. */
export interface Lock {
  release(): void;
}

export interface Driver {
  /** @throws AppError STORAGE_UNAVAILABLE when the data cannot be opened or is of a newer evenkeel */
  readonly open: (options: OpenOptions) => Promise<Engine>;
  /** @returns undefined when another tree has it. @throws Error that names the setting to change */
  readonly lock: (options: Pick<OpenOptions, "dataDir">) => Lock | undefined;
}

const DRIVERS = {
  sqlite: async () => (await import("./sqlite/driver.ts")).sqlite,
} satisfies Record<string, () => Promise<Driver>>;

export async function openEngine(options: OpenOptions): Promise<Engine> {
  const driver = await driverOf();
  return driver.open(options);
}

/** See `Driver.lock`. */
export async function lockStorage(options: Pick<OpenOptions, "dataDir">): Promise<Lock | undefined> {
  const driver = await driverOf();
  return driver.lock(options);
}

function driverOf(): Promise<Driver> {
  return DRIVERS.sqlite();
}
