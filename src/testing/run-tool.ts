/** Runs a tool of `config/tools/` as an agent would, in this process. */
import { contextFor } from "../agent/tools/context.ts";
import type { DefinedTool } from "../agent/tools/tool.ts";
import { callContext } from "./call-context.ts";

/** @throws what `input` or the tool throws */
export async function runTool(tool: DefinedTool, input: unknown, signal?: AbortSignal): Promise<unknown> {
  const { signal: own, report, ...data } = callContext(signal && { signal });
  const { context, end } = contextFor({ data, signal: own, report });
  try {
    return await tool.run(tool.input.parse(input), context);
  } finally {
    end();
  }
}
