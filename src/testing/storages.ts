/**
 * The storages that process tests run on: the file that needs nothing, and a Postgres that the test file starts for
 * itself. `environment` has the settings that select it.
 */
import { afterAll } from "vitest";
import { TestPostgres } from "./postgres.ts";

export const STORAGES = ["SQLite", "Postgres"] as const;
export type Storage = (typeof STORAGES)[number];

export interface Storages {
  /** A storage of its own for one server, or for several that share it. */
  environment(storage: Storage): Promise<Record<string, string>>;
  /** The Postgres of this file, started when it is first asked for. */
  postgres(): Promise<TestPostgres>;
}

/** Called once in a test file. Stops its Postgres after the last test. */
export function storages(): Storages {
  let started: Promise<TestPostgres> | undefined;
  const postgres = () => (started ??= TestPostgres.start());
  afterAll(async () => {
    const running = await started?.catch(() => undefined);
    await running?.[Symbol.asyncDispose]();
  });
  return {
    postgres,
    environment: async (storage) => {
      if (storage === "SQLite") return {};
      const server = await postgres();
      return { DATABASE_URL: server.url(await server.createDatabase()) };
    },
  };
}
