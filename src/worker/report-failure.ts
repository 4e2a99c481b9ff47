/** The one rule for what of a failed request is logged, and how loudly. Used wherever a worker answers with an error. */
import { toAppError, type AppError, type ErrorCode } from "../core/errors.ts";
import type { Log } from "../observe/log.ts";

/** Codes that an operator has to do something about. Overload, a drain and a run's own failure are told elsewhere. */
const FAULTS: ReadonlySet<ErrorCode> = new Set(["INTERNAL", "STORAGE_UNAVAILABLE", "STORAGE_FULL"]);

/**
 * A failure of the server is an error in the log; what a client did wrong is there for who looks closely.
 * @param about what was asked, by whom: method and url, a run's id
 * @returns the error to answer with
 */
export function reportFailure(log: Log, error: unknown, about: Readonly<Record<string, unknown>>): AppError {
  const known = toAppError(error);
  const fields = { code: known.code, ...about };
  if (FAULTS.has(known.code)) log.error({ ...fields, err: error }, "request failed");
  else log.debug(fields, known.message);
  return known;
}
