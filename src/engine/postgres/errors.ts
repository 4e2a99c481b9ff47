/** What an error of Postgres, or of the way to it, means for our callers. Pure. */
import { AppError, type ErrorCode } from "../../core/errors.ts";

/** https://www.postgresql.org/docs/current/errcodes-appendix.html: whole classes, and single codes. */
const KNOWN: readonly (readonly [RegExp, ErrorCode, string])[] = [
  [/^53100$/, "STORAGE_FULL", "The disk of the database is full; free some space."],
  [
    /^53300$/,
    "STORAGE_UNAVAILABLE",
    "The database has no connection left; raise its max_connections or lower DATABASE_POOL.",
  ],
  [/^25006$/, "STORAGE_UNAVAILABLE", "The database is read-only; name the primary server in DATABASE_URL."],
  [/^(?:08|53|57P|58|XX)/, "STORAGE_UNAVAILABLE", "The database does not serve at the moment."],
  [/^(?:55P03|57014|25P03|40001|40P01)$/, "STORAGE_UNAVAILABLE", "The database was too busy with other writes."],
];

const NETWORK = /^(?:ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)/;
/** Errors of the client library that have no code. */
const LIBRARY =
  /connection terminated|timeout|connection error|not queryable|was closed|pipeline|server does not support SSL/i;

const REFUSED = "The database refuses DATABASE_URL; check its user, password and database.";
/** Clients read it: where the database is stands in the cause, for the log. */
const UNREACHABLE = "The database cannot be reached; check DATABASE_URL and the network.";

interface Failure {
  readonly code?: unknown;
  readonly message: string;
}

/** Any error of the database as one of ours; others, mistakes of ours among them, pass as they are. */
export function storageError(error: unknown): unknown {
  if (error instanceof AppError || !(error instanceof Error)) return error;
  const code = codeOf(error);
  // Nothing changes by waiting.
  if (/^(?:28|3D)/.test(code)) return new AppError("STORAGE_UNAVAILABLE", REFUSED, { cause: error });
  const [, known, detail] = KNOWN.find(([pattern]) => pattern.test(code)) ?? [];
  if (known && detail) return new AppError(known, detail, { cause: error, retryAfterS: 5 });
  if (!isLost(error)) return error;
  return new AppError("STORAGE_UNAVAILABLE", UNREACHABLE, { cause: error, retryAfterS: 5 });
}

/** The connection is gone, and nobody knows whether what was under way was committed. */
export function isLost(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = codeOf(error);
  if (/^(?:08|57P)/.test(code) || NETWORK.test(code)) return true;
  return code === "" && LIBRARY.test(error.message);
}

/**
 * Another transaction was in the way, and doing all of it again may well succeed: a deadlock, or a row of the same key
 * that somebody stored since we looked.
 */
export function isPassing(error: unknown): boolean {
  return /^(?:40001|40P01|23505)$/.test(codeOf(error as Failure));
}

function codeOf({ code }: Failure): string {
  return typeof code === "string" ? code : "";
}
