/** Loads what the operator edits: `config/agents.ts`. Called by workers and agents at boot. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Agent } from "./core/agent.ts";

/** @throws Error that names the file and says what it should export */
export async function loadAgents(configDir: string): Promise<ReadonlyMap<string, Agent>> {
  const file = join(configDir, "agents.ts");
  const module = (await import(pathToFileURL(file).href)) as { agents?: unknown };
  if (module.agents instanceof Map) return module.agents as ReadonlyMap<string, Agent>;
  throw new Error(`Expected ${file} to export \`agents\`: export const agents = defineAgents({ … }).`);
}
