/** The refusal of a write under a fence that the run has no more. Called by the drivers. */
import { AppError } from "../../core/errors.ts";

export function leaseLost({ runId, fence }: { readonly runId: string; readonly fence: number }): AppError {
  return new AppError("LEASE_LOST", `Run ${runId} is no longer owned under fence ${fence}.`);
}
