/**
 * Leaves out the oldest messages of a conversation until it fits its model. Called by the loop before each model call.
 */
import { tooLarge, type PreparedAgent } from "../core/agent.ts";
import { COMPACT_STEP, customEvent } from "../core/event.ts";
import type { Message } from "../core/message.ts";
import type { Attempts } from "./attempts.ts";
import type { Conversation } from "./conversation.ts";
import { clearedBy, type Cut } from "./history/compaction.ts";
import type { Asking } from "./model-step.ts";
import type { RunJournal } from "./run-journal.ts";
import { leftOut, summarize } from "./summary.ts";

export interface TooLong extends Pick<Asking, "model" | "choice" | "signal"> {
  readonly agent: PreparedAgent;
  readonly journal: Pick<RunJournal, "emit">;
  readonly conversation: Conversation;
  readonly hasTools: boolean;
  /** Characters that are sent beside the conversation. */
  readonly beside: number;
  /** The attempts at summaries. */
  readonly summaries: Attempts;
  /** Reserves the budget of a summary. */
  reserve(): Promise<void>;
  /** Stores the compaction and counts the model calls that it took. */
  keep(message: Message, modelCalls: number): Promise<void>;
}

/** @throws AppError CONTEXT_TOO_LARGE when the conversation never fits; what `reserve` and `summarize` throw */
export async function makeRoom(options: TooLong): Promise<void> {
  const { agent, conversation, beside } = options;
  for (;;) {
    const size = tokensOf(options);
    const { budget } = conversation;
    if (size <= budget) return;
    const cut = agent.context.onFull === "fail" ? undefined : conversation.plan(beside);
    if (!cut) throw tooLarge(agent, { size, budget });
    await compact(options, cut);
  }
}

/**
 * A compaction is a step of its own: from here on the model gets the conversation without what the cut leaves out.
 */
async function compact(options: TooLong, cut: Cut): Promise<void> {
  const { agent, choice, signal, journal, conversation, summaries } = options;
  const now = conversation.cut;
  const { budget } = conversation;
  const tokensBefore = tokensOf(options);
  const isSummarized = cut.from > now.from;
  const calls = isSummarized && agent.context.onFull === "compact";
  if (calls) await options.reserve();
  else journal.emit({ type: "STEP_STARTED", stepName: COMPACT_STEP });
  const call = { conversation, cut, model: options.model, choice, attempts: summaries, signal };
  const summary = calls ? await summarize(call) : isSummarized ? leftOut(conversation, cut) : now.summary;
  const compaction = { model: choice.model, budget, from: cut.from, cleared_before: cut.clearedBefore };
  const kept = summary === undefined ? compaction : { ...compaction, summary };
  await options.keep({ role: "user", content: [], compaction: kept }, calls ? 1 : 0);
  summaries.end();
  journal.emit(
    customEvent("evenkeel.compacted", {
      title: isSummarized ? "The oldest turns were summarized" : "Old tool results were left out",
      cleared_results: clearedBy(conversation.turns, now, cut),
      summarized_messages: cut.from - now.from,
      tokens_before: tokensBefore,
      tokens_after: tokensOf(options),
      budget,
    }),
  );
  journal.emit({ type: "STEP_FINISHED", stepName: COMPACT_STEP });
}

/** Estimates the tokens of the next request. */
function tokensOf({ conversation, hasTools, beside }: TooLong): number {
  return conversation.tokens(hasTools, beside);
}
