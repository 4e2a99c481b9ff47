/** A tool that does nothing, so that its call costs only the way to it and back. */
import { z } from "zod";
import { defineTool } from "../../../src/agent/tools/tool.ts";

export const tool = defineTool({
  description: "Answers with the text that it is given.",
  input: z.object({ message: z.string() }),
  effects: "pure",
  run: ({ message }) => message,
});
