/** What an error of Postgres, or of the connection to it, means for our callers. Pure. */
import { AppError, type ErrorCode } from "../../core/errors.ts";

/** Whole classes of codes, and single codes: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const KNOWN: readonly (readonly [RegExp, ErrorCode, string])[] = [
  [/^53100$/, "STORAGE_FULL", "The disk of the database is full; free some space."],
  [
    /^53300$/,
    "STORAGE_UNAVAILABLE",
    "The database has no connection left; raise its max_connections or lower DATABASE_POOL.",
  ],
  [/^25006$/, "STORAGE_UNAVAILABLE", "The database is read-only; name the primary server in DATABASE_URL."],
  [
    /^42501$/,
    "STORAGE_UNAVAILABLE",
    "The user of DATABASE_URL may not write to evenkeel's tables; name the owner of the tables, or grant this user the right to write.",
  ],
  [
    /^(?:42P01|42P07|42703|42809)$/,
    "STORAGE_UNAVAILABLE",
    "The database has tables of another program, or lacks some of evenkeel's; name an empty database, or restore a backup.",
  ],
  [/^(?:08|53|57P|58|XX)/, "STORAGE_UNAVAILABLE", "The database does not serve at the moment."],
  [/^(?:55P03|57014|25P03|40001|40P01)$/, "STORAGE_UNAVAILABLE", "The database was too busy with other writes."],
];

const NETWORK = /^(?:ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)/;
/** Codes of node:tls: https://nodejs.org/api/tls.html#x509-certificate-error-codes */
const CERTIFICATE = /^(?:ERR_TLS_CERT_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(?:GET|VERIFY)_|HOSTNAME_MISMATCH)/;
/** Errors of the client library that have no code. */
const LIBRARY =
  /connection terminated|timeout|connection error|not queryable|was closed|pipeline|server does not support SSL/i;

const REFUSED = "The database refuses DATABASE_URL; check its user, password and database.";
/** Clients read this text, so it must not say where the database is: the `cause` says that, for the log. */
const NO_TLS = "The database offers no TLS, and DATABASE_URL asks for it by sslmode.";
const UNTRUSTED =
  "The database's certificate is not trusted; name its authority by sslrootcert in DATABASE_URL, and the host as the certificate does.";
const UNREACHABLE = "The database cannot be reached; check DATABASE_URL and the network.";

interface Failure {
  readonly code?: unknown;
  /** Of a system error, `connect` for one. */
  readonly syscall?: unknown;
  readonly message: string;
}

/** Turns an error of the database into one of ours; other errors, our own bugs among them, are returned unchanged. */
export function storageError(error: unknown): unknown {
  if (error instanceof AppError || !(error instanceof Error)) return error;
  const code = codeOf(error);
  // Waiting does not help against these.
  if (/^(?:28|3D)/.test(code)) return new AppError("STORAGE_UNAVAILABLE", REFUSED, { cause: error });
  const [, known, detail] = KNOWN.find(([pattern]) => pattern.test(code)) ?? [];
  if (known && detail) return new AppError(known, detail, { cause: error, retryAfterS: 5 });
  if (/does not support SSL/i.test(error.message)) return new AppError("STORAGE_UNAVAILABLE", NO_TLS, { cause: error });
  if (CERTIFICATE.test(code)) return new AppError("STORAGE_UNAVAILABLE", UNTRUSTED, { cause: error });
  if (!isLost(error)) return error;
  return new AppError("STORAGE_UNAVAILABLE", UNREACHABLE, { cause: error, retryAfterS: 5 });
}

/** Whether the connection is gone, so that nobody knows whether the write under way was committed. */
export function isLost(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = codeOf(error);
  // A Unix socket that is not there is ENOENT, and a firewall may answer EACCES.
  if ((error as Failure).syscall === "connect") return true;
  if (/^(?:08|57P)/.test(code) || NETWORK.test(code)) return true;
  return code === "" && LIBRARY.test(error.message);
}

/**
 * Whether another transaction was in the way, so that repeating the whole transaction may succeed: a deadlock, or a row
 * of the same key that somebody stored after our look.
 */
export function isPassing(error: unknown): boolean {
  return /^(?:40001|40P01|23505)$/.test(codeOf(error as Failure));
}

function codeOf({ code }: Failure): string {
  return typeof code === "string" ? code : "";
}
