/** Names the database that a process waits for at its start, in one plain line. Called by the entries of worker and agent. */
import { hasCode } from "../core/errors.ts";
import type { DatabaseSettings } from "../engine/driver.ts";

const POSTGRES_PORT = "5432";

/**
 * A Postgres that is away needs no stack: the supervisor starts the process again until it is there.
 * @returns undefined when the error is another one. User and password are not in it.
 */
export function awaitedBy(error: unknown, database: DatabaseSettings | null): string | undefined {
  if (!database || !(error instanceof Error) || !hasCode(error, "STORAGE_UNAVAILABLE")) return undefined;
  return `waiting for Postgres at ${addressOf(database.url)}: ${error.message}${reasonOf(error.cause)}`;
}

function addressOf(database: string): string {
  const url = new URL(database);
  // A host that begins with a slash is the folder of a socket.
  const host = url.searchParams.get("host") ?? url.hostname;
  return host.startsWith("/") ? host : `${host}:${url.searchParams.get("port") ?? (url.port || POSTGRES_PORT)}`;
}

/** An error of several addresses of one host has a code and no message. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return "";
  const reason = cause.message || ("code" in cause ? String(cause.code) : "");
  return reason === "" ? "" : ` (${reason})`;
}
