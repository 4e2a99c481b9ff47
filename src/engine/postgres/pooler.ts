/**
 * Finds out at the start whether an address leads to a pool that lends a connection for one transaction only, as
 * PgBouncer does with `pool_mode = transaction`. There nobody hears a notification, and older versions lose prepared
 * statements. All else of this driver works there: it keeps nothing in a session. Called by `open.ts`.
 */
import type { Client } from "pg";
import { AppError } from "../../core/errors.ts";
import type { DatabaseSettings } from "../driver.ts";
import { connect } from "./database.ts";
import { storageError } from "./errors.ts";

/** A pool lends the connection that came back last: two clients in turn then get the same one at once. */
const ROUNDS = 4;
const BACKEND = "SELECT pg_backend_pid() AS pid";
const PREPARED = { name: "evenkeel_probe", text: "SELECT 1" };
/** Of a statement that another client of the pool has prepared on the connection, or on another connection. */
const NO_STATEMENT = /^(?:42P05|26000)$/;

/** @throws AppError STORAGE_UNAVAILABLE that names the setting to change, or says that the database does not answer */
export async function assertUsable(settings: DatabaseSettings): Promise<void> {
  const { url, listenUrl, prepare = true, redisUrl } = settings;
  try {
    const isPool = await withTwo(url, async (clients) => {
      const lendsByTransaction = await lend(clients);
      if (lendsByTransaction && prepare) await assertPrepares(clients);
      return lendsByTransaction;
    });
    // With Redis nobody listens at the database.
    if (redisUrl !== undefined) return;
    const isListenPool = listenUrl === url ? isPool : await withTwo(listenUrl, lend);
    if (isListenPool) throw cannotListen(listenUrl === url);
  } catch (error) {
    throw storageError(error);
  }
}

async function withTwo<T>(url: string, work: (clients: readonly Client[]) => Promise<T>): Promise<T> {
  const opening = await Promise.allSettled([connect(url), connect(url)]);
  const clients = opening.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  try {
    for (const result of opening) if (result.status === "rejected") throw result.reason;
    return await work(clients);
  } finally {
    await Promise.all(clients.map((client) => client.end().catch(() => {})));
  }
}

/** Connections that are one's own stay the same, and those of two clients differ. */
async function lend(clients: readonly Client[]): Promise<boolean> {
  const seen = clients.map(() => new Set<number>());
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [index, client] of clients.entries()) {
      const { rows } = await client.query<{ pid: number }>(BACKEND);
      seen[index]?.add(rows[0]?.pid ?? 0);
    }
  }
  const all = seen.flatMap((pids) => [...pids]);
  return all.length > clients.length || new Set(all).size < all.length;
}

async function assertPrepares(clients: readonly Client[]): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const client of clients) {
      await client.query(PREPARED).catch((error: { readonly code?: string }) => {
        if (!NO_STATEMENT.test(error.code ?? "")) throw error;
        throw new AppError(
          "STORAGE_UNAVAILABLE",
          "DATABASE_URL leads to a pool that lends its connections by transaction and knows no prepared statements. " +
            "Use PgBouncer 1.21 or newer with max_prepared_statements above 200, its session mode, or set DATABASE_PREPARE=false.",
        );
      });
    }
  }
}

function cannotListen(isSame: boolean): AppError {
  const which = isSame ? "DATABASE_URL" : "DATABASE_LISTEN_URL";
  return new AppError(
    "STORAGE_UNAVAILABLE",
    `${which} leads to a pool that lends its connections by transaction, where nobody can listen for news. ` +
      "Set DATABASE_LISTEN_URL to the database itself, or use the pool's session mode.",
  );
}
