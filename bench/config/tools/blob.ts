/** A tool with much to say, as one that reads files has. */
import { z } from "zod";
import { defineTool } from "../../../src/agent/tools/tool.ts";

export const tool = defineTool({
  description: "Answers with as much text as it is asked for.",
  input: z.object({ kb: z.number().int().min(1).max(200) }),
  effects: "pure",
  run: ({ kb }) => "x".repeat(kb * 1024),
});
