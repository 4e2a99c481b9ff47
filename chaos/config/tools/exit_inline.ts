/** A tool that ends its agent process. */
import { defineTool, z } from "evenkeel";

export const tool = defineTool({
  description: "Ends the process.",
  input: z.object({}),
  effects: "pure",
  isolation: "inline",
  run: () => process.kill(process.pid, "SIGKILL"),
});
