/** Where a reader may go on in a feed. Used by the event route and the socket. */
import { AppError } from "../core/errors.ts";

interface Position {
  /** What the client calls it. */
  readonly name: string;
  readonly after: number;
  readonly newest: number;
  /** The feed whose positions these are, for the message: "run run_1". */
  readonly of: string;
}

/**
 * A position that is no longer stored is fine, its reader is told of the gap; one that never was is a mistake.
 * @throws AppError INVALID_REQUEST
 */
export function assertResumable({ name, after, newest, of }: Position): void {
  if (after <= newest) return;
  throw new AppError(
    "INVALID_REQUEST",
    `Expected \`${name}\` to be at most ${newest}, the newest seq of ${of}; got ${after}. Leave it out to start anew.`,
  );
}
