/** The tools of this agent process: loaded from `config/tools/*` at boot, and given to each run by its agent's list. */
import type { Tool as ModelTool } from "@anthropic-ai/sdk/resources/messages";
import { join } from "node:path";
import { ConfigError, importConfig, loadToolsConfig } from "../../config.ts";
import type { Agent } from "../../core/agent.ts";
import { passOn, programEnv } from "../../environment.ts";
import type { Settings } from "../../settings.ts";
import { DELEGATE } from "./delegate.ts";
import { describeFiles, type DescribedTool } from "./describe.ts";
import type { Hosts } from "./hosts/hosts.ts";
import { inlineTool } from "./inline.ts";
import { LoopWatch } from "./loop-watch.ts";
import type { Tool, Tools } from "./invoke.ts";
import type { DefinedTool } from "./tool.ts";

/**
 * All tools of `config/tools/`, as an agent process has them.
 * @throws ConfigError also for a tool that an agent names and that is not there
 */
export async function loadToolsFor(
  agents: Iterable<Agent>,
  { configDir, toolEnv }: Pick<Settings, "configDir" | "toolEnv">,
  hosts: Hosts,
): Promise<Tools> {
  const { env } = await loadToolsConfig(configDir);
  const tools = await loadTools(configDir, hosts, programEnv(env, toolEnv));
  assertToolsExist(agents, tools);
  return tools;
}

/**
 * A tool has the name of its file.
 * @param env the environment that tools see
 * @throws ConfigError that names each file that cannot be used, and why
 */
export async function loadTools(
  configDir: string,
  hosts: Hosts,
  env: Readonly<Record<string, string>>,
): Promise<Tools> {
  return makeTools(await describeFiles(join(configDir, "tools"), env), hosts, env);
}

/** Also called by tests, which read the files once for many hosts. */
export async function makeTools(
  described: readonly DescribedTool[],
  hosts: Hosts,
  env: Readonly<Record<string, string>>,
): Promise<Tools> {
  const loop = new LoopWatch();
  const tools = described.map(async (tool): Promise<[string, Tool]> => [
    tool.file.name,
    await toolOf(tool, { hosts, env, loop }),
  ]);
  return new Map(await Promise.all(tools));
}

interface Makers {
  readonly hosts: Hosts;
  readonly env: Readonly<Record<string, string>>;
  readonly loop: LoopWatch;
}

async function toolOf(tool: DescribedTool, { hosts, env, loop }: Makers): Promise<Tool> {
  const { file, description, inputSchema, effects, isolation, timeoutMs, memoryMb } = tool;
  if (isolation === "inline") {
    // The tool runs in this process, whose environment has only the usual variables.
    for (const [name, value] of Object.entries(env)) passOn(name, value);
    const module = (await importConfig(file.path)) as { tool: DefinedTool };
    return inlineTool(module.tool, { name: file.name, loop });
  }
  const { name, source } = file;
  const invoke = hosts.add({ name, source, effects, isolation, timeoutMs, memoryMb, env });
  // A thread is not contained: native code and V8 itself can end the process that it shares.
  return { description, inputSchema, effects, contained: isolation === "process", invoke };
}

/**
 * @throws ConfigError that lists every tool that an agent names but nobody wrote, and every name that is taken twice
 */
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

/** The tools that the agent's list names. When a model asks for any other tool, it does not get it. */
export function toolsOf({ tools: names }: Agent, tools: Tools): Map<string, Tool> {
  return new Map([...tools].filter(([name]) => names.includes(name)));
}

/** Tools as the Messages API wants them. */
export function describeTools(tools: Tools): ModelTool[] {
  return [...tools].map(([name, { description, inputSchema }]) => ({ name, description, input_schema: inputSchema }));
}
