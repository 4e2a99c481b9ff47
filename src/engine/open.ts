/** The one place that chooses an engine driver. A driver is loaded when it is chosen. */
import type { Driver, Lock, OpenOptions, StorageName } from "./driver.ts";
import type { Engine } from "./engine.ts";

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
