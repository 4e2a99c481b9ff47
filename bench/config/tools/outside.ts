/** The tool `echo` in a process of its own. */
import { defineTool } from "../../../src/agent/tools/tool.ts";
import { tool as entry } from "./entry.ts";

export const tool = defineTool({ ...entry, isolation: "process" });
