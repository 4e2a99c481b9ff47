/** Checks the position at which a reader wants to resume a feed. Used by the routes that stream, and by the socket. */
import { AppError } from "../core/errors.ts";
import type { Run } from "../core/run.ts";
import type { OwnEngine } from "./own-engine.ts";

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
    `Expected \`${name}\` to be at most ${newest}, the newest position of ${of}; got ${after}. Leave it out to start anew.`,
  );
}

/**
 * Where the stream of a request that is sent again goes on. A run that this request made begins with its first event,
 * whatever the client has of another one.
 * @param after the request's `Last-Event-ID`. @throws AppError INVALID_REQUEST
 */
export async function resumeAt(
  engine: Pick<OwnEngine, "lastEvent">,
  { run, created }: { readonly run: Pick<Run, "run_id">; readonly created: boolean },
  after = 0,
): Promise<number> {
  if (created || after === 0) return 0;
  const newest = await engine.lastEvent(run.run_id);
  assertResumable({ name: "Last-Event-ID", after, newest, of: `run ${run.run_id}` });
  return after;
}

/**
 * A client that repeats a POST to resume its stream has to say which run it means: without that the repeat would start,
 * and pay, a second run. @throws AppError INVALID_REQUEST
 */
export function assertNamesRun(lastEventId: number | undefined, isNamed: boolean): void {
  if (lastEventId === undefined || lastEventId === 0 || isNamed) return;
  throw new AppError(
    "INVALID_REQUEST",
    "Expected a `run_id` or an `Idempotency-Key` in a request with `Last-Event-ID`, as in the first one: without it the " +
      "repeat would start a second run. Or GET the events of the first run, which its `Content-Location` named.",
  );
}
