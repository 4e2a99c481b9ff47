/** Behind a real PgBouncer: what works in which of its modes, and what is refused at the start. */
import { afterAll, describe, expect, test } from "vitest";
import { startPgBouncer, type PgBouncer } from "../../testing/pgbouncer.ts";
import type { TestPostgres } from "../../testing/postgres.ts";
import { needs } from "../../testing/program.ts";
import { testFollow } from "../contract/follow.contract.ts";
import { testStep } from "../contract/step.contract.ts";
import { lockStorage } from "../open.ts";
import { databases, settingsAt } from "./test-data.ts";

type Mode = "session" | "transaction";

/** A pool of this mode for all tests of a suite. */
function pool(mode: Mode): (server: TestPostgres) => Promise<PgBouncer> {
  let started: Promise<PgBouncer> | undefined;
  afterAll(async () => {
    const running = await started?.catch(() => undefined);
    await running?.[Symbol.asyncDispose]();
  });
  return (server) => (started ??= startPgBouncer(server, mode));
}

describe("in session mode, with DATABASE_URL alone", needs("pgbouncer"), () => {
  const start = pool("session");
  const { open } = databases(async (server, name) => settingsAt((await start(server)).url(name)));
  testFollow(open);
});

describe("in transaction mode, with DATABASE_LISTEN_URL and unprepared statements", needs("pgbouncer"), () => {
  const start = pool("transaction");
  const { open } = databases(async (server, name) => {
    const url = (await start(server)).url(name);
    return { url, listenUrl: server.url(name), pool: 4, prepare: false };
  });
  testFollow(open);
  testStep(open);
});

describe("at the start", needs("pgbouncer"), () => {
  const { postgres } = databases();
  const start = pool("transaction");

  async function lock(
    settingsOf: (pooled: string, direct: string) => { url: string; listenUrl: string; prepare?: boolean },
  ) {
    const server = await postgres();
    const pooled = (await start(server)).url("postgres");
    const database = { ...settingsOf(pooled, server.url()), pool: 2 };
    return lockStorage({ dataDir: "/nowhere", database });
  }

  test("a pool by transaction is no place to listen, and the setting that helps is named", async () => {
    await expect(lock((pooled) => ({ url: pooled, listenUrl: pooled, prepare: false }))).rejects.toMatchObject({
      code: "STORAGE_UNAVAILABLE",
      message: expect.stringMatching(/^DATABASE_URL .* Set DATABASE_LISTEN_URL/),
    });
    await expect(lock((pooled, direct) => ({ url: direct, listenUrl: pooled }))).rejects.toMatchObject({
      message: expect.stringMatching(/^DATABASE_LISTEN_URL /),
    });
  });

  test("a pool by transaction that loses prepared statements is refused, unless none are prepared", async () => {
    // PgBouncer knows them from 1.21 on, if max_prepared_statements is set, which it is not here.
    await expect(lock((pooled, direct) => ({ url: pooled, listenUrl: direct }))).rejects.toMatchObject({
      message: expect.stringContaining("DATABASE_PREPARE=false"),
    });
    await expect(lock((pooled, direct) => ({ url: pooled, listenUrl: direct, prepare: false }))).resolves.toBeDefined();
  });

  test("the database itself is no pool", async () => {
    await expect(lock((_pooled, direct) => ({ url: direct, listenUrl: direct }))).resolves.toBeDefined();
  });
});
