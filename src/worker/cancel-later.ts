/** Cancels a run whose client has left. Nobody waits for the outcome, so a failure goes to the log. */
import type { Run } from "../core/run.ts";
import type { OwnDeps } from "./context.ts";

export function cancelLater({ run_id: runId }: Run, { engine, log }: OwnDeps): void {
  engine.cancel(runId).catch((error: unknown) => log.error({ err: error, run_id: runId }, "cancel failed"));
}
