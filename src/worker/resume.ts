/** Where a reader may go on in a run's journal. Used by the event route and the socket. */
import { AppError } from "../core/errors.ts";
import type { Run } from "../core/run.ts";
import type { Engine } from "../engine/engine.ts";

interface Position {
  /** What the client calls it. */
  readonly name: string;
  readonly after: number;
}

/**
 * A position that is no longer stored is fine, its reader is told of the gap; one that never was is a mistake.
 * @throws AppError INVALID_REQUEST
 */
export async function assertResumable(engine: Engine, run: Run, { name, after }: Position): Promise<void> {
  if (after <= (await engine.lastEvent(run.run_id))) return;
  throw new AppError(
    "INVALID_REQUEST",
    `Expected \`${name}\` to be the seq of an event of run ${run.run_id}, got ${after}, which it does not have. Leave it out to start from the first.`,
  );
}
