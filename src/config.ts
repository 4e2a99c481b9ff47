/** Loads what the operator edits: `config/agents.ts`, `config/access.ts`, `config/mcp.ts`, each file of `config/tools/`. Called at boot. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { DEFAULT_ACCESS, type Access } from "./core/access.ts";
import type { Agent } from "./core/agent.ts";
import type { McpServers } from "./core/mcp-servers.ts";
import { isPassedOn, withVariables } from "./environment.ts";
import { settingNames, type Settings } from "./settings.ts";

/** A mistake in `config/`: no restart fixes it, and its message says what does. */
export class ConfigError extends Error {
  readonly code = "CONFIG";

  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "ConfigError";
  }
}

export interface Config {
  readonly agents: ReadonlyMap<string, Agent>;
  readonly access: Access;
  readonly mcpServers: McpServers;
}

/** All files but the tools, with the operator's variables in sight. @throws ConfigError */
export function loadConfig({ configDir, toolEnv }: Pick<Settings, "configDir" | "toolEnv">): Promise<Config> {
  return withVariables(toolEnv, async () => {
    const agents = await loadAgents(configDir);
    return { agents, access: await loadAccess(configDir, agents), mcpServers: await loadMcpServers(configDir, agents) };
  });
}

/** @throws ConfigError that names the file and says what it should export */
export async function loadAgents(configDir: string): Promise<ReadonlyMap<string, Agent>> {
  const file = join(configDir, "agents.ts");
  if (!existsSync(file))
    throw new ConfigError(
      `There is no ${file}. Write one ("npx evenkeel init" does), or set CONFIG_DIR to the folder that has it.`,
    );
  const module = (await importConfig(file)) as { agents?: unknown };
  if (module.agents instanceof Map) return module.agents as ReadonlyMap<string, Agent>;
  throw new ConfigError(`Expected ${file} to export \`agents\`: export const agents = defineAgents({ … }).`);
}

/** No file means no keys but API_KEYS, and no other origin. @throws ConfigError that names the file */
async function loadAccess(configDir: string, agents: ReadonlyMap<string, Agent>): Promise<Access> {
  const file = join(configDir, "access.ts");
  if (!existsSync(file)) return DEFAULT_ACCESS;
  const module = (await importConfig(file)) as { access?: Access };
  if (typeof module.access === "object" && "identityProviders" in module.access) {
    assertPriced(module.access, agents, file);
    return module.access;
  }
  throw new ConfigError(`Expected ${file} to export \`access\`: export const access = defineAccess({ … }).`);
}

/** @throws ConfigError for an agent whose runs a budget in dollars would not count */
function assertPriced({ budget }: Access, agents: ReadonlyMap<string, Agent>, file: string): void {
  if (budget?.principalDay?.dollars === undefined) return;
  const unpriced = [...agents.values()].filter(({ price }) => !price).map(({ agentId }) => `\`${agentId}\``);
  if (unpriced.length === 0) return;
  throw new ConfigError(
    `${file}: \`budget.principalDay.dollars\` counts by the agents' \`price\`, and these have none: ${unpriced.join(", ")}.`,
  );
}

/** No file means no servers. @throws ConfigError that names the file, or the agents that name a missing server */
export async function loadMcpServers(configDir: string, agents: ReadonlyMap<string, Agent>): Promise<McpServers> {
  const file = join(configDir, "mcp.ts");
  const servers = existsSync(file) ? await readMcpServers(file) : new Map();
  const unknown = [...agents.values()].flatMap(({ agentId, mcp }) =>
    mcp
      .filter((name) => !servers.has(name))
      .map((name) => `Agent \`${agentId}\`: there is no MCP server \`${name}\` in ${file}.`),
  );
  if (unknown.length > 0) throw new ConfigError(unknown.join("\n"));
  return servers;
}

async function readMcpServers(file: string): Promise<McpServers> {
  const module = (await importConfig(file)) as { mcpServers?: unknown };
  if (module.mcpServers instanceof Map) return module.mcpServers as McpServers;
  throw new ConfigError(
    `Expected ${file} to export \`mcpServers\`: export const mcpServers = defineMcpServers({ … }).`,
  );
}

/** `export const tools = { … }` of `config/agents.ts`: what holds for all tools. */
export interface ToolsConfig {
  /** Names of environment variables that tools see besides the usual ones (PATH, HOME, LANG …). */
  readonly env: readonly string[];
}

/** @throws ConfigError */
export async function loadToolsConfig(configDir: string): Promise<ToolsConfig> {
  const file = join(configDir, "agents.ts");
  const { tools = {} } = (await importConfig(file)) as { tools?: unknown };
  const refuse = (what: string) => new ConfigError(`Expected \`tools\` of ${file} ${what}.`);
  if (typeof tools !== "object" || tools === null) throw refuse('to be an object: { env: ["NAME"] }');
  const unknown = Object.keys(tools).filter((key) => key !== "env");
  if (unknown.length > 0) throw refuse(`to have no \`${unknown.join("`, `")}\`; it knows env`);
  const { env = [] } = tools as { env?: unknown };
  if (!Array.isArray(env) || !env.every((name) => typeof name === "string"))
    throw refuse("to have in `env` a list of names of environment variables");
  const ours = settingNames();
  const refused = env.find((name) => ours.has(name) && !isPassedOn(name));
  if (refused !== undefined) throw refuse(`to have no ${refused} in \`env\`: no tool sees a setting of the server`);
  return { env };
}

/** @throws ConfigError that names the file, and the line when it is known, with the reason */
export async function importConfig(file: string): Promise<unknown> {
  try {
    return await import(pathToFileURL(file).href);
  } catch (error) {
    const { message = String(error), stack = "" } = error as Partial<Error>;
    // The stack of a syntax error begins with its place; the stack of another error has it in the first frame in that
    // file.
    const [place = file] = new RegExp(`${RegExp.escape(file)}:\\d+`).exec(stack) ?? [];
    throw new ConfigError(`${place}: ${message}`, error);
  }
}
