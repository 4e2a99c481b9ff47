/** A tool with much to say, as one that reads files has. */
import { defineTool, z } from "evenkeel";

export const tool = defineTool({
  description: "Answers with as much text as it is asked for.",
  input: z.object({ kb: z.number().int().min(1).max(200) }),
  effects: "pure",
  run: ({ kb }) => "x".repeat(kb * 1024),
});
