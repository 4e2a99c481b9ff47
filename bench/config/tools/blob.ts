/** A tool with a long result, such as a tool that reads files. */
import { defineTool, z } from "evenkeel";

export const tool = defineTool({
  description: "Answers with as much text as it is asked for.",
  input: z.object({ kb: z.number().int().min(1).max(200) }),
  effects: "pure",
  run: ({ kb }) => "x".repeat(kb * 1024),
});
