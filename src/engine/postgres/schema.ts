/** Brings the database up to date, under an advisory lock: of several machines that start at once only one migrates. */
import { AppError } from "../../core/errors.ts";
import type { DatabaseSettings } from "../driver.ts";
import { Database, type Queryable } from "./database.ts";
import { MIGRATIONS } from "./migrations.ts";

/** Any number that other programs on the same database are unlikely to take. */
const MIGRATION_LOCK = 7_310_155_201;

/** Indexing a large table takes minutes, and every other machine waits for the migration. */
const WITHOUT_LIMITS = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"];

/**
 * Brings the database up to date, over a connection of its own, because those of `database` have the time limits of
 * requests.
 * @throws AppError STORAGE_UNAVAILABLE when a newer evenkeel wrote it and refuses this one
 */
export async function migrate(database: Database, address: Pick<DatabaseSettings, "url" | "prepare">): Promise<void> {
  if (await isCurrent(database)) return;
  await assertUnicode(database);
  const patient = Database.open({ ...address, pool: 1, answerMs: 0 });
  try {
    await patient.transaction(async (db) => {
      // Set for this transaction only, because a pool may lend the connection to others afterwards.
      for (const limit of WITHOUT_LIMITS) await db.query(`SET LOCAL ${limit} = 0`);
      await applyMissing(db);
      return { statements: [], result: () => undefined };
    });
  } finally {
    await patient.close();
  }
}

async function applyMissing(db: Queryable): Promise<void> {
  await db.query("SELECT pg_advisory_xact_lock($1)", [MIGRATION_LOCK]);
  await db.query("CREATE TABLE IF NOT EXISTS evenkeel_schema (version integer NOT NULL, oldest integer NOT NULL)");
  const applied = await appliedBy(db);
  const missing = MIGRATIONS.slice(applied.version);
  for (const { sql } of missing) for (const statement of statementsOf(sql)) await db.query(statement);
  const newest = missing.at(-1);
  if (!newest) return;
  await db.query("DELETE FROM evenkeel_schema");
  await db.query("INSERT INTO evenkeel_schema VALUES ($1, $2)", [MIGRATIONS.length, newest.oldest]);
}

/** In another encoding, most texts could not be stored, or would be cut within a character. */
async function assertUnicode(database: Database): Promise<void> {
  const [row] = await database.query<{ server_encoding: string }>("SHOW server_encoding");
  const { server_encoding: encoding = "UTF8" } = row ?? {};
  if (encoding === "UTF8") return;
  throw new AppError(
    "STORAGE_UNAVAILABLE",
    `The database has the encoding ${encoding}, which cannot hold every text; make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0.`,
  );
}

/** Looks without a lock: only the first process of a new version has something to migrate. */
async function isCurrent(database: Database): Promise<boolean> {
  const [table] = await database.query("SELECT to_regclass('evenkeel_schema') IS NOT NULL AS there");
  if (table?.["there"] !== true) return false;
  const { version } = await appliedBy(database);
  return version >= MIGRATIONS.length;
}

async function appliedBy(db: Queryable): Promise<{ readonly version: number }> {
  const [row] = await db.query<{ version: number; oldest: number }>("SELECT version, oldest FROM evenkeel_schema");
  const { version, oldest } = row ?? { version: 0, oldest: 0 };
  if (oldest <= MIGRATIONS.length) return { version };
  throw new AppError(
    "STORAGE_UNAVAILABLE",
    `The database was changed by a newer evenkeel (schema ${version}, which needs ${oldest}; this one knows ` +
      `${MIGRATIONS.length}). Start that version, or point DATABASE_URL at another database.`,
  );
}

/**
 * Splits the text, because a prepared statement holds only one statement. Its end is a semicolon at the end of a line;
 * semicolons within the body of a function stand elsewhere.
 */
function statementsOf(sql: string): string[] {
  const lines = sql.split("\n").filter((line) => !line.trim().startsWith("--"));
  return lines
    .join("\n")
    .split(/;[ \t]*$/m)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== "");
}
