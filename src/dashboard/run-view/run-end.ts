/** How a run ended and what it used, read from its last event. Pure. Called by `run-view.ts`. */
import { type FinishReason, NO_USAGE, type Usage } from "../../core/run.ts";
import type { Problem } from "../live/api-error.ts";
import type { EventOf } from "./wire-event.ts";

export interface RunEnd {
  readonly status: "completed" | "failed" | "canceled";
  /** Null where the journal is of an older version. */
  readonly reason: FinishReason | null;
  readonly at: number;
  readonly error: Problem | null;
}

type LastEvent = EventOf<"RUN_FINISHED" | "RUN_ERROR">;

export function endOf(event: LastEvent, at: number): RunEnd {
  const reason = event.finish_reason ?? null;
  if (event.type === "RUN_ERROR") {
    const { code = "INTERNAL", message } = event;
    return { status: "failed", reason, at, error: { code, detail: message } };
  }
  const status = event.outcome?.type === "cancelled" ? "canceled" : "completed";
  return { status, reason, at, error: null };
}

/** AG-UI counts cached tokens as input; we count them apart, as the Messages API does. */
export function usageOf({ usage }: LastEvent): Usage {
  const tokens = usage?.[0];
  if (!tokens) return NO_USAGE;
  const { inputTokens = 0, outputTokens = 0, cachedInputTokens = 0, cacheWriteInputTokens = 0 } = tokens;
  return {
    input_tokens: Math.max(0, (inputTokens ?? 0) - (cachedInputTokens ?? 0) - (cacheWriteInputTokens ?? 0)),
    output_tokens: outputTokens ?? 0,
    cache_read_input_tokens: cachedInputTokens ?? 0,
    cache_creation_input_tokens: cacheWriteInputTokens ?? 0,
  };
}
