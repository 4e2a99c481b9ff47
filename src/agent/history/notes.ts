/**
 * What the server tells the model about the run's own limits. Pure; always the same words, so that notes can be
 * recognised.
 */

import type { Asked } from "../../core/asked.ts";
import type { ToolUseBlock } from "../../core/message.ts";

export type Limit = "step_limit" | "time_limit";

/** A model that knows how few steps are left does not begin work that it cannot finish. */
const FEW_STEPS = 3;

/** Undefined while many steps are left. */
export function stepsLeft(steps: number): string | undefined {
  if (steps > FEW_STEPS) return undefined;
  return `${steps === 1 ? "1 step is" : `${steps} steps are`} left: each answer and each tool call is one.`;
}

export function lastWord(limit: Limit, maxSteps: number): string {
  const why = limit === "step_limit" ? `The limit of ${maxSteps} steps is reached` : "The time is nearly up";
  return `${why}. No tool can be called any more: give your last answer now, from what you have.`;
}

export function notRun(limit: Limit): string {
  return `This tool did not run: ${limit === "step_limit" ? "the run has no steps left for it" : "the time is nearly up"}.`;
}

/** What a run's request asked beyond its message, as text behind the system prompt. */
export function askedInWords({ instructions, extra_context: facts, response_format: format }: Asked): string[] {
  return [
    ...(instructions === undefined ? [] : [instructions]),
    ...(facts === undefined ? [] : [`Context of this request:\n\n${facts}`]),
    ...(format
      ? [`Answer with JSON alone, without a code fence, that fits this schema:\n\n${JSON.stringify(format.schema)}`]
      : []),
  ].map((paragraph) => paragraph.toWellFormed());
}

const MISFIT = "Your answer does not fit the schema:";

export function misfit(reason: string): string {
  return `${MISFIT} ${reason}. Answer again, with JSON alone.`;
}

export function isMisfit(note: string | undefined): boolean {
  return note?.startsWith(MISFIT) ?? false;
}

/** Why a call cannot run, whatever its tool is; undefined when it can. */
export function unfit({ cut, not_json: begin }: ToolUseBlock): string | undefined {
  if (cut) return CUT_CALL;
  if (begin === undefined) return undefined;
  return `The arguments of this call are no JSON, so it did not run. They begin: ${begin}\nCall the tool again with a JSON object.`;
}

const CUT_CALL =
  "This call was cut off at the answer's token limit before its arguments were whole, so it did not run. " +
  "Call the tool again with shorter arguments, or go on without it.";
