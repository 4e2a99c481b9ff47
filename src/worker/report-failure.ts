/**
 * The one rule for which failed requests are logged, and at which level. Used wherever a worker answers with an error.
 */
import { toAppError, type AppError, type ErrorCode } from "../core/errors.ts";
import type { Log } from "../observe/log.ts";

/** Codes that an operator has to act on. Overload, a drain and a run's own failure are reported elsewhere. */
const FAULTS: ReadonlySet<ErrorCode> = new Set(["INTERNAL", "STORAGE_UNAVAILABLE", "STORAGE_FULL"]);

/**
 * A failure of the server is logged as an error, and a client's mistake at debug.
 * @param about what the log line names: method and url, or a run's id
 * @returns the error to answer with
 */
export function reportFailure(log: Log, error: unknown, about: Readonly<Record<string, unknown>>): AppError {
  const known = toAppError(error);
  const fields = { code: known.code, ...about };
  if (FAULTS.has(known.code)) log.error({ ...fields, err: error }, "request failed");
  else log.debug(fields, known.message);
  return known;
}
