/** What the model is told of a call of which nobody can know whether it took effect. */
import { failure, type ToolResult } from "./invoke.ts";

/** @param why a sentence that names the tool */
export function unknownOutcome(why: string): ToolResult {
  return failure(`${why} Its outcome is unknown: it may or may not have taken effect.`);
}
