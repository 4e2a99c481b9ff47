/** Why a run ended, in words; nothing if the run ended normally. */
import type { FinishReason } from "../../core/run.ts";

const WORDS: Record<FinishReason, string | null> = {
  stop: null,
  max_tokens: "Cut: the answer reached the most tokens that the agent may write.",
  refusal: "The model refused to answer.",
  step_limit: "Cut: the run reached its limit of steps.",
  time_limit: "Cut: the run reached its limit of time.",
  budget: "Cut: the run reached its budget.",
  canceled: null,
  error: null,
};

/** An unknown reason of a newer server is shown unchanged. */
export function endWords(reason: FinishReason | null): string | null {
  if (reason === null) return null;
  return Object.hasOwn(WORDS, reason) ? WORDS[reason] : reason;
}
