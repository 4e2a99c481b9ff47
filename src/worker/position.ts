/** Checks the position at which a reader wants to resume a feed. Used by the event route and the socket. */
import { AppError } from "../core/errors.ts";

interface Position {
  /** The client's name of the position. */
  readonly name: string;
  readonly after: number;
  readonly newest: number;
  /** The feed that the position belongs to, for the message: "run run_1". */
  readonly of: string;
}

/**
 * A position that is no longer stored is accepted, and its reader is told about the gap. A position that never existed
 * is a mistake.
 * @throws AppError INVALID_REQUEST
 */
export function assertResumable({ name, after, newest, of }: Position): void {
  if (after <= newest) return;
  throw new AppError(
    "INVALID_REQUEST",
    `Expected \`${name}\` to be at most ${newest}, the newest seq of ${of}; got ${after}. Leave it out to start anew.`,
  );
}
