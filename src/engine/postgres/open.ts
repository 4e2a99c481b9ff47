/** Opens the database that DATABASE_URL names, and brings its tables up to date. Called through `engine/open.ts` only. */
import { AppError } from "../../core/errors.ts";
import type { DatabaseSettings, OpenOptions } from "../driver.ts";
import { Database } from "./database.ts";
import { PostgresEngine } from "./engine.ts";
import type { BusListener, Bus } from "./bus.ts";
import { NotifyBus } from "./notify.ts";
import { migrate } from "./schema.ts";

/** A name of this database among all databases. A copy that pg_dump made has another one. */
const SPACE =
  "SELECT system_identifier || '_' || oid AS space FROM pg_control_system(), pg_database WHERE datname = current_database()";

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
  const { url, pool, prepare = true } = settings;
  const database = Database.open({ url, pool, prepare });
  try {
    await migrate(database, { url, prepare });
    return new PostgresEngine({
      database,
      dataDir,
      limits,
      machine: machine === undefined || boot === undefined ? undefined : { machine, boot },
      bus: await busOf(settings, database),
    });
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** The bus that the settings choose. Neither of them has to be reachable yet. */
async function busOf(
  { listenUrl, redisUrl }: DatabaseSettings,
  database: Database,
): Promise<(listener: BusListener) => Bus> {
  if (redisUrl === undefined) return (listener) => new NotifyBus({ url: listenUrl, ...listener });
  const { RedisBus } = await import("./redis.ts");
  const [row] = await database.query<{ space: string }>(SPACE);
  return (listener) => new RedisBus({ url: redisUrl, space: row?.space ?? "", ...listener });
}
