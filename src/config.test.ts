import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ConfigError, loadAgents, loadConfig, loadMcpServers, loadToolsConfig } from "./config.ts";
import { defineAgents } from "./core/agent.ts";
import { isPassedOn } from "./environment.ts";
import { settingNames } from "./settings.ts";

/** Why `agents.ts` with this text cannot be loaded. */
async function refusalOf(text: string): Promise<{ file: string; error: unknown }> {
  const folder = await mkdtemp(join(tmpdir(), "evenkeel-config-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "agents.ts");
  await writeFile(file, text);
  return { file, error: await loadAgents(folder).catch((error: unknown) => error) };
}

test("what a file throws is told with its place", async () => {
  const { file, error } = await refusalOf('\n\nthrow new Error("a typo of mine");\n');

  expect(error).toBeInstanceOf(ConfigError);
  expect(error).toMatchObject({ message: `${file}:3: a typo of mine` });
});

test("a file that exports something else is told what to export", async () => {
  const { file, error } = await refusalOf("export const agent = 1;");

  expect(error).toBeInstanceOf(ConfigError);
  expect(error).toMatchObject({ message: expect.stringContaining(`Expected ${file} to export \`agents\``) });
});

test("a folder without the file is told by the setting that names it", async () => {
  await expect(loadAgents("/nowhere")).rejects.toThrow(
    'There is no /nowhere/agents.ts. Write one ("npx evenkeel init" does), or set CONFIG_DIR',
  );
});

test("an agent that names an MCP server of nobody is refused by both names", async () => {
  const agents = defineAgents({ assistant: { model: "m", mcp: ["files"] } });

  await expect(loadMcpServers("/nowhere", agents)).rejects.toThrow(
    "Agent `assistant`: there is no MCP server `files` in /nowhere/mcp.ts.",
  );
  expect(await loadMcpServers("/nowhere", defineAgents({ assistant: { model: "m" } }))).toEqual(new Map());
});

/** A config folder with an agent and this access. */
async function loadWith(access: string) {
  const configDir = await mkdtemp(join(tmpdir(), "evenkeel-config-"));
  onTestFinished(() => rm(configDir, { recursive: true }));
  const core = new URL("core/", import.meta.url);
  const agents = `import { defineAgents } from "${core.href}agent.ts";\nexport const agents = defineAgents({ a: { model: "m" } });`;
  await writeFile(join(configDir, "agents.ts"), agents);
  await writeFile(join(configDir, "access.ts"), access.replace("CORE/", core.href));
  return loadConfig({ configDir, toolEnv: {} });
}

test("config/access.ts is read, with what it does not say filled in", async () => {
  const { access } = await loadWith(
    'import { defineAccess } from "CORE/access.ts";\nexport const access = defineAccess({ allowedOrigins: ["https://a.example"] });',
  );

  expect(access).toMatchObject({ allowedOrigins: ["https://a.example"], keys: [], limits: { requests: 1_000 } });
});

test("a config/access.ts that exports something else is told what to export", async () => {
  await expect(loadWith("export const acess = {};")).rejects.toThrow(/access\.ts to export `access`/);
});

/** A config folder whose `tools.env` lists these names. */
async function toolsConfigWith(env: readonly string[]) {
  const configDir = await mkdtemp(join(tmpdir(), "evenkeel-config-"));
  onTestFinished(() => rm(configDir, { recursive: true }));
  await writeFile(join(configDir, "agents.ts"), `export const tools = ${JSON.stringify({ env })};`);
  return loadToolsConfig(configDir);
}

test("whoever lists a setting of the server for tools is told that no tool sees it, whichever setting it is", async () => {
  const ours = [...settingNames()].filter((name) => !isPassedOn(name));
  expect(ours).toEqual(expect.arrayContaining(["ANTHROPIC_API_KEY", "API_KEYS", "DATABASE_LISTEN_URL", "PORT"]));

  for (const name of ours)
    await expect(toolsConfigWith(["STRIPE_KEY", name])).rejects.toThrow(`to have no ${name} in \`env\``);
  const theirs = ["STRIPE_KEY", "LANG", "HTTPS_PROXY"];
  expect(await toolsConfigWith(theirs)).toEqual({ env: theirs });
});
