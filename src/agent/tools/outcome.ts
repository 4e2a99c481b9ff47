/** What the model is told when nobody can know whether a call took effect. */
import { failure, type ToolResult } from "./invoke.ts";

/** @param why a sentence that names the tool */
export function unknownOutcome(why: string): ToolResult {
  return failure(`${why} Its outcome is unknown: it may or may not have taken effect.`);
}
