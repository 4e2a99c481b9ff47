/** Loads `config/tools/*.ts` at boot and shows the tools to the model. The file's name is the tool's. */
import type { Tool as ModelTool } from "@anthropic-ai/sdk/resources/messages";
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { ConfigError, importConfig } from "../../config.ts";
import type { Agent } from "../../core/agent.ts";
import { DELEGATE } from "./delegate.ts";
import { inlineTool } from "./inline.ts";
import type { Tool, Tools } from "./invoke.ts";
import type { DefinedTool } from "./tool.ts";

/** @throws ConfigError that names the file and what it should export */
export async function loadTools(configDir: string): Promise<Tools> {
  const folder = join(configDir, "tools");
  const files = (await readdir(folder)).filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"));
  const entries = files.map(async (file): Promise<[string, Tool]> => {
    const path = join(folder, file);
    const module = (await importConfig(path)) as { tool?: DefinedTool };
    if (module.tool === undefined) {
      throw new ConfigError(`Expected ${path} to export \`tool\`: export const tool = defineTool({ … }).`);
    }
    return [basename(file, ".ts"), inlineTool(module.tool)];
  });
  return new Map(await Promise.all(entries));
}

/** @throws ConfigError that lists every tool an agent names and nobody wrote, and one whose name is taken */
export function assertToolsExist(agents: Iterable<Agent>, tools: Tools): void {
  const missing: string[] = [...agents].flatMap(({ agentId, tools: names }) =>
    names
      .filter((name) => !tools.has(name))
      .map((name) => `Agent \`${agentId}\`: there is no config/tools/${name}.ts.`),
  );
  if (tools.has(DELEGATE)) missing.push(`config/tools/${DELEGATE}.ts: this name is taken; rename the file.`);
  for (const name of tools.keys())
    if (name.includes("__"))
      missing.push(`config/tools/${name}.ts: \`__\` is kept for tools of MCP servers; rename the file.`);
  if (missing.length > 0) throw new ConfigError(missing.join("\n"));
}

/** What the agent was given, and nothing else: a model may name any tool. */
export function toolsOf({ tools: names }: Agent, tools: Tools): Map<string, Tool> {
  return new Map([...tools].filter(([name]) => names.includes(name)));
}

/** Tools as the Messages API wants them. */
export function describeTools(tools: Tools): ModelTool[] {
  return [...tools].map(([name, { description, inputSchema }]) => ({ name, description, input_schema: inputSchema }));
}
