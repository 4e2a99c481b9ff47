/** The key of a tool's call, by which a service tells that the call is repeated. */
import type { Run } from "../../core/run.ts";
import type { Engine, ToolCall } from "../../engine/engine.ts";
import { outlastTrouble } from "../retry-storage.ts";

type Call = Pick<ToolCall, "toolCallId" | "stepsBefore">;

export interface Keys {
  readonly run: Run;
  readonly engine: Pick<Engine, "run" | "toolCalls">;
  readonly signal: AbortSignal;
}

/** @returns a function that resolves with the key of one of the run's calls */
export function keysOf({ run, engine, signal }: Keys): (call: Call) => Promise<string> {
  return (call) => outlastTrouble(() => keyOf(call, run, engine), signal);
}

/**
 * A retry begins with the calls that the run before it left open, as its calls of step 0. They keep the key under which they
 * were begun there, because the service may have done the work already.
 */
async function keyOf({ toolCallId, stepsBefore }: Call, run: Run, engine: Keys["engine"]): Promise<string> {
  const own = `${run.run_id}:${stepsBefore}:${toolCallId}`;
  if (stepsBefore > 0 || run.retry_of === null) return own;
  const [before, calls] = await Promise.all([engine.run(run.retry_of), engine.toolCalls(run.retry_of)]);
  const [last] = calls
    .filter((call) => call.toolCallId === toolCallId)
    .toSorted((one, other) => other.stepsBefore - one.stepsBefore);
  return before && last ? keyOf(last, before, engine) : own;
}
