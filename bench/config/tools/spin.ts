/** The worst kind of tool: it keeps its event loop busy and never waits. */
import { defineTool, z } from "evenkeel";
import { spin } from "../../lib/spin.ts";

export const tool = defineTool({
  description: "Computes without a pause.",
  input: z.object({ ms: z.number().int().min(1).max(3_000) }),
  effects: "pure",
  run: ({ ms }) => spin(ms),
});
