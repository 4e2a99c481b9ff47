/**
 * The model call that turns the oldest turns of a long conversation into a summary. Readers see it as a step, but its
 * text is not part of the run's answer. Called by the loop.
 */
import { CHARACTERS_A_TOKEN } from "../core/agent.ts";
import type { AttemptJournal, Attempts } from "./attempts.ts";
import { before, taskBehind, type Cut } from "./history/compaction.ts";
import type { ModelMessage } from "./history/model-message.ts";
import { Transcript } from "./history/transcript.ts";
import { cutText, isBlank } from "./history/well-formed.ts";
import type { Conversation } from "./conversation.ts";
import type { ModelChoice } from "./model-choice.ts";
import { callModel, type ModelAccess } from "./model.ts";
import { textOf } from "../core/message.ts";

const MAX_SUMMARY_TOKENS = 4_096;

const ASSIGNMENT =
  "You summarize the beginning of a conversation between a user and an assistant, so that the assistant can go on " +
  "without it. Keep what the user wants, decisions, facts, names, numbers, identifiers, and what is still open. " +
  "Answer with the summary alone.";

export interface SummaryCall {
  readonly conversation: Conversation;
  readonly cut: Cut;
  readonly model: ModelAccess;
  readonly choice: ModelChoice;
  readonly attempts: Attempts;
  readonly signal: AbortSignal;
}

/** @returns the text that is sent in place of the left-out messages. @throws what `callModel` throws */
export async function summarize({ conversation, cut, model, choice, attempts, signal }: SummaryCall): Promise<string> {
  const words = wordsOf(conversation, cut);
  const params = {
    model: choice.model,
    max_tokens: MAX_SUMMARY_TOKENS,
    stream: true as const,
    system: ASSIGNMENT,
    messages: [{ role: "user" as const, content: [{ type: "text" as const, text: words }] }],
  };
  const { governor, maxAttempts } = choice;
  const { content } = await callModel({ ...model, governor, maxAttempts, params, attempts, signal });
  const summary = textOf({ role: "assistant", content });
  return isBlank(summary)
    ? leftOut(conversation, cut)
    : inPlace(`Summary of the conversation so far:\n\n${summary}`, conversation, cut);
}

/** The text in place of the left-out messages, for an agent that wants no summary. */
export function leftOut(conversation: Conversation, cut: Cut): string {
  return inPlace("(The beginning of this conversation was left out, as it is too long.)", conversation, cut);
}

/** A journal that shows the attempts of a step to readers, and that the run is parked before one, but not its text. */
export function quiet(journal: AttemptJournal): AttemptJournal {
  return {
    emit: (event) => {
      const isStep = event.type === "STEP_STARTED" || event.type === "STEP_FINISHED";
      if (isStep || (event.type === "CUSTOM" && event.name === "evenkeel.waiting")) journal.emit(event);
    },
    text: () => {},
    args: () => {},
    retry: (attempt) => journal.retry(attempt),
  };
}

function inPlace(text: string, conversation: Conversation, cut: Cut): string {
  const task = taskBehind(conversation.turns, cut.from);
  return task === undefined ? text : `${text}\n\nThe message that is being worked on, word by word:\n\n${task}`;
}

/** The conversation as quoted lines, as much of it as the model accepts. */
function wordsOf(conversation: Conversation, { from }: Cut): string {
  const { cut, budget } = conversation;
  const compaction = { model: "", budget, from: cut.from, cleared_before: cut.clearedBefore };
  const now = cut.summary === undefined ? compaction : { ...compaction, summary: cut.summary };
  const { messages } = new Transcript(conversation.audience(false), before(conversation.turns, from), now);
  const room = Math.floor(budget * CHARACTERS_A_TOKEN * 0.6);
  return cutText(messages.map(quoted).join("\n\n"), room);
}

function quoted({ role, content }: ModelMessage): string {
  const text = content
    .map((block) => (typeof block["text"] === "string" ? block["text"] : `[${block.type}]`))
    .join("\n");
  return `${role}:\n${text.replaceAll(/^/gm, "> ")}`;
}
