/** A tool that blocks its agent's event loop for longer than the supervisor waits. */
import { defineTool, z } from "evenkeel";

export const tool = defineTool({
  description: "Blocks.",
  input: z.object({ ms: z.number().int().max(30_000) }),
  effects: "pure",
  isolation: "inline",
  run: ({ ms }) => {
    const endsAt = performance.now() + ms;
    while (performance.now() < endsAt) continue;
    return "done";
  },
});
