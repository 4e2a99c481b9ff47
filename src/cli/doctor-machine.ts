/** What a server would meet on this machine: Node, the port, the disk, the storage, the config, the model. */
import { constants } from "node:fs";
import { access, statfs } from "node:fs/promises";
import { Hosts } from "../agent/tools/hosts/hosts.ts";
import { loadToolsFor } from "../agent/tools/registry.ts";
import { loadAgents, loadConfig } from "../config.ts";
import type { Agent } from "../core/agent.ts";
import { makePrivateFolder } from "../engine/private-folder.ts";
import { assertSafeVersion } from "../engine/sqlite/connection.ts";
import { variablesHere, withVariables } from "../environment.ts";
import { assertPortFree } from "../process/port.ts";
import { parseSettings, type Settings } from "../settings.ts";
import { lookAtModel } from "./doctor-model.ts";
import { lookAtStorage } from "./doctor-storage.ts";
import type { Look } from "./look.ts";

const FIRST_NODE = 24;
const MIN_FREE_BYTES = 1_000_000_000;

export function lookAtMachine(): Readonly<Record<string, Look>> {
  const settings = parseSettings("production", variablesHere(), process.cwd());
  return {
    node: async () => nodeVersion(),
    sqlite: async () => sqliteVersion(),
    port: () => freePort(settings),
    data: () => roomFor(settings),
    ...lookAtStorage(settings.database),
    config: () => configOf(settings),
    model: async () => lookAtModel(settings.model, await agentsOf(settings)),
  };
}

function nodeVersion(): string {
  if (Number.parseInt(process.versions.node, 10) >= FIRST_NODE) return process.version;
  throw new Error(`${process.version} is too old; upgrade Node.`);
}

function sqliteVersion(): string {
  const version = process.versions.sqlite ?? "0";
  assertSafeVersion(version);
  return version;
}

async function freePort({ host, port }: Settings): Promise<string> {
  await assertPortFree(host, port);
  return `${port} on ${host} is free`;
}

async function roomFor({ dataDir }: Settings): Promise<string> {
  makePrivateFolder(dataDir);
  await access(dataDir, constants.W_OK);
  const { bavail, bsize } = await statfs(dataDir);
  const freeBytes = bavail * bsize;
  const found = `${dataDir}, ${(freeBytes / 1e9).toFixed(1)} GB free`;
  if (freeBytes < MIN_FREE_BYTES) throw new Error(`${found}: less than 1 GB is free; free more.`);
  return found;
}

function agentsOf({ configDir, toolEnv }: Settings): Promise<ReadonlyMap<string, Agent>> {
  return withVariables(toolEnv, () => loadAgents(configDir));
}

/** Loads all that the processes of a server load before they serve. */
async function configOf(settings: Settings): Promise<string> {
  const { agents } = await loadConfig(settings);
  const hosts = new Hosts({ warn: () => {} });
  try {
    await loadToolsFor(agents.values(), settings, hosts);
  } finally {
    await hosts.stop();
  }
  return `${settings.configDir} has ${[...agents.keys()].join(", ")}`;
}
