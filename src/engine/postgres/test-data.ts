/** Where the tests of this driver keep their data: one Postgres for each test file, and one database for each test. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { TestPostgres } from "../../testing/postgres.ts";
import type { OpenedEngine } from "../contract/setup.ts";
import type { DatabaseSettings } from "../driver.ts";
import type { Engine, EngineLimits } from "../engine.ts";
import { openEngine } from "../open.ts";

const ROOMY: EngineLimits = { queued: 10_000 };
/** Small, so that a test fails when it needs more connections than it should. */
export const POOL = 4;

export interface Databases {
  /** An engine on a new database. Disposing it closes every other handle, too, and frees the database. */
  open(limits?: EngineLimits): Promise<OpenedEngine>;
  /** The server, for databases that a test makes itself. */
  postgres(): Promise<TestPostgres>;
}

/** How a test reaches the database `name` of the server. */
export type SettingsOf = (server: TestPostgres, name: string) => DatabaseSettings | Promise<DatabaseSettings>;

const TABLES = [
  "threads",
  "runs",
  "events",
  "messages",
  "tool_calls",
  "activities",
  "removals",
  "shared",
  "files",
  "file_contents",
  "file_uses",
  "spending",
  "machines",
  "machine_reports",
];

/**
 * The first test that opens a database starts the server; it is stopped after the last test of the file. Making a
 * database costs more than most tests do, so free databases are emptied and used again.
 */
export function databases(settingsOf: SettingsOf = direct): Databases {
  let server: Promise<TestPostgres> | undefined;
  const free: string[] = [];
  const postgres = () => (server ??= TestPostgres.start());
  afterAll(async () => {
    const started = await server?.catch(() => undefined);
    await started?.[Symbol.asyncDispose]();
  });
  return {
    postgres,
    open: async (limits = ROOMY) => {
      const running = await postgres();
      const name = free.pop() ?? (await running.createDatabase());
      await using opening = new AsyncDisposableStack();
      opening.defer(async () => {
        await empty(running, name);
        free.push(name);
      });
      const engine = opening.use(await openAt(await settingsOf(running, name), limits));
      const owned = opening.move();
      return {
        engine,
        another: async () => owned.use(await openAt(await settingsOf(running, name), limits)),
        [Symbol.asyncDispose]: () => owned.disposeAsync(),
      };
    },
  };
}

async function empty(postgres: TestPostgres, database: string): Promise<void> {
  const deletes = TABLES.map((table) => `DELETE FROM ${table}`);
  await postgres.admin(
    [...deletes, "UPDATE lease_clock SET ms = 0, ticked_at = clock_timestamp()"].join("; "),
    database,
  );
}

function direct(server: TestPostgres, name: string): DatabaseSettings {
  return settingsAt(server.url(name));
}

export function settingsAt(url: string): DatabaseSettings {
  return { url, listenUrl: url, pool: POOL };
}

/** Gives the engine a folder of its own, for uploads that are not complete. */
export async function openAt(at: string | DatabaseSettings, limits = ROOMY): Promise<Engine & AsyncDisposable> {
  const database = typeof at === "string" ? settingsAt(at) : at;
  const dataDir = await mkdtemp(join(tmpdir(), "evenkeel-postgres-uploads-"));
  const removeFolder = () => rm(dataDir, { recursive: true, force: true });
  try {
    const engine = await openEngine({ dataDir, durability: "normal", limits, database });
    const dispose = async () => {
      await engine.close();
      await removeFolder();
    };
    return Object.assign(engine, { [Symbol.asyncDispose]: dispose });
  } catch (error) {
    await removeFolder();
    throw error;
  }
}
