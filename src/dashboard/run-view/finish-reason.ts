/** Why a run ended, in words; nothing where it ended as one would want. */
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

/** A reason that a newer server may have is said as it is. */
export function endWords(reason: FinishReason | null): string | null {
  if (reason === null) return null;
  return Object.hasOwn(WORDS, reason) ? WORDS[reason] : reason;
}
