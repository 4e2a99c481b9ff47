/** Tools for a cluster in one process: tests reach into them, so they run on its event loop. */
import { inlineTool } from "../agent/tools/inline.ts";
import type { Tools } from "../agent/tools/invoke.ts";
import type { DefinedTool } from "../agent/tools/tool.ts";

export function inlineTools(defined: Readonly<Record<string, DefinedTool>>): Tools {
  return new Map(Object.entries(defined).map(([name, tool]) => [name, inlineTool(tool)]));
}
