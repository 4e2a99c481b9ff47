/** Entry of an agent process: claims runs and works on them. Never serves HTTP. */
import { loadConfig, loadToolsConfig, type Config } from "../config.ts";
import { GAUGE } from "../core/gauges.ts";
import { MCP_NOTE, MCP_RESTART } from "../core/mcp-servers.ts";
import { agentName } from "../core/run.ts";
import { openEngine } from "../engine/open.ts";
import { createLog, logFatal } from "../observe/log.ts";
import { answerToOwnName } from "../own-name.ts";
import { runService, type Service } from "../process/lifecycle.ts";
import { connectParent } from "../process/parent.ts";
import { lowerPriority } from "../process/priority.ts";
import { programEnv } from "../environment.ts";
import type { Settings } from "../settings.ts";
import { Governors } from "./governor/governors.ts";
import { ManagedServers } from "./mcp/servers.ts";
import { openModelClient } from "./model-client.ts";
import { ModelMeter } from "./model-meter.ts";
import { Runner } from "./runner.ts";
import { killLeftoversOfTheDead } from "./leftovers.ts";
import { Hosts } from "./tools/hosts/hosts.ts";
import type { Tools } from "./tools/invoke.ts";
import { assertToolsExist, loadTools } from "./tools/registry.ts";

answerToOwnName();
const { parent, settings } = await connectParent<Settings>();
const id = Number(process.argv[2]);
const name = `agent ${id}`;
const log = await createLog(settings, name);

async function start(): Promise<Service> {
  lowerPriority();
  const hosts = new Hosts(log);
  const { agents, mcpServers: servers } = await loadConfig(settings);
  const [tools, engine] = await Promise.all([
    loadToolsFor(agents, hosts),
    openEngine({ ...settings, limits: { queued: settings.maxQueued } }),
  ]);
  const model = openModelClient(settings.model, agents.values());
  const { agentConcurrency: concurrency, modelIdleMs: idleMs, modelWordlessMs: wordlessMs } = settings;
  const owner = { machine: settings.machine, boot: settings.boot, process: agentName(id, process.pid) };
  const meter = new ModelMeter();
  const governors = new Governors({
    process: owner.process,
    engine,
    log,
    account: `${settings.model.baseUrl ?? ""} ${settings.model.apiKey}`,
  });
  const mcp = new ManagedServers({ servers, env: programEnv(), log });
  const runner = new Runner({
    owner,
    engine,
    agents,
    tools,
    client: model.client,
    meter,
    governors,
    mcp,
    log,
    concurrency,
    patience: { idleMs, wordlessMs },
  });
  await runner.start();
  // Ends programs of an agent process that was killed and could not end them itself.
  void killLeftoversOfTheDead();
  return {
    inFlight: () => runner.inFlight,
    gauges: () => ({ ...meter.read(), ...governors.read(), ...hosts.read(), [GAUGE.runsParked]: runner.parked }),
    notes: () => ({ [MCP_NOTE]: mcp.note() }),
    onRequest: ({ name, about }) => {
      if (name === MCP_RESTART) void mcp.restart(about);
    },
    drain: async (withinMs) => {
      await runner.drain(withinMs);
      governors.stop();
      model[Symbol.dispose]();
      await Promise.all([mcp.stop(), hosts.stop()]);
      await engine.close();
    },
  };
}

async function loadToolsFor(agents: Config["agents"], hosts: Hosts): Promise<Tools> {
  const { env } = await loadToolsConfig(settings.configDir);
  const tools = await loadTools(settings.configDir, hosts, programEnv(env, settings.toolEnv));
  assertToolsExist(agents.values(), tools);
  return tools;
}

await runService({
  parent,
  title: `evenkeel ${name}`,
  start,
  onFatal: (error) => logFatal(log, error),
  sigtermDrainMs: settings.drainMs,
});
