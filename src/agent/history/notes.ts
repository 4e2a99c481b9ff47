/** What the server tells the model of the run's own limits. Pure; the same words each time, so that they can be told apart. */

export type Limit = "step_limit" | "time_limit";

/** A model that knows how many steps are left does not begin what it cannot end. */
const FEW_STEPS = 3;

/** Undefined while there are many. */
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

export const CUT_CALL =
  "This call was cut off at the answer's token limit before its arguments were whole, so it did not run. " +
  "Call the tool again with shorter arguments, or go on without it.";
