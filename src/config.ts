/** Loads what the operator edits: `config/agents.ts`, and each file of `config/tools/`. Called at boot. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Agent } from "./core/agent.ts";

/** A mistake in `config/`: no restart mends it, and its message says what does. */
export class ConfigError extends Error {
  readonly code = "CONFIG";

  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "ConfigError";
  }
}

/** @throws ConfigError that names the file and says what it should export */
export async function loadAgents(configDir: string): Promise<ReadonlyMap<string, Agent>> {
  const file = join(configDir, "agents.ts");
  if (!existsSync(file))
    throw new ConfigError(`There is no ${file}. Write one, or set CONFIG_DIR to the folder that has it.`);
  const module = (await importConfig(file)) as { agents?: unknown };
  if (module.agents instanceof Map) return module.agents as ReadonlyMap<string, Agent>;
  throw new ConfigError(`Expected ${file} to export \`agents\`: export const agents = defineAgents({ … }).`);
}

/** @throws ConfigError that names the file, and the line when it is known, with the reason */
export async function importConfig(file: string): Promise<unknown> {
  try {
    return await import(pathToFileURL(file).href);
  } catch (error) {
    const { message = String(error), stack = "" } = error as Partial<Error>;
    // A syntax error's stack begins with its place, that of others has it in the first frame in that file.
    const [place = file] = new RegExp(`${RegExp.escape(file)}:\\d+`).exec(stack) ?? [];
    throw new ConfigError(`${place}: ${message}`, error);
  }
}
