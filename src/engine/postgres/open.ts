/** Opens the database that DATABASE_URL names, and brings its tables up to date. Called through `engine/open.ts` only. */
import { AppError } from "../../core/errors.ts";
import type { DatabaseSettings, OpenOptions } from "../driver.ts";
import { Database } from "./database.ts";
import { PostgresEngine } from "./engine.ts";
import { NotifyBus } from "./notify.ts";
import { migrate } from "./schema.ts";

/**
 * @throws AppError STORAGE_UNAVAILABLE when the database cannot be reached, refuses us, or was written by a newer
 * evenkeel
 */
export async function openPostgresEngine({
  database: settings,
  dataDir,
  limits,
  machine,
  boot,
}: OpenOptions): Promise<PostgresEngine> {
  if (!settings) throw new AppError("STORAGE_UNAVAILABLE", "DATABASE_URL names no database.");
  const { url, listenUrl, pool } = settings;
  const database = Database.open({ url, pool });
  try {
    await migrate(database, url);
  } catch (error) {
    await database.close();
    throw error;
  }
  return new PostgresEngine({
    database,
    dataDir,
    limits,
    machine: machine === undefined || boot === undefined ? undefined : { machine, boot },
    bus: ({ hear, lookAtAll }) => new NotifyBus({ url, listenUrl, onMessage: hear, onLoss: lookAtAll }),
  });
}

/** @throws AppError STORAGE_UNAVAILABLE, with `retryAfterS` when the database may answer later */
export async function assertAnswers({ url }: DatabaseSettings): Promise<void> {
  const database = Database.open({ url, pool: 1 });
  try {
    await database.query("SELECT 1");
  } finally {
    await database.close();
  }
}
