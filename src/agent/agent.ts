/**
 * Everything that works on runs in one process: the runner, its client of the model and its MCP servers, over an engine
 * of its own. Made by `main.ts` with the tools of an agent, and by tests inside the test's process.
 */
import { agentName } from "../core/run.ts";
import type { Access } from "../core/access.ts";
import type { Agent as AgentConfig } from "../core/agent.ts";
import type { McpServers } from "../core/mcp-servers.ts";
import type { Engine } from "../engine/engine.ts";
import { openEngine } from "../engine/open.ts";
import { programEnv } from "../environment.ts";
import type { Log } from "../observe/log.ts";
import type { Settings } from "../settings.ts";
import { Governors } from "./governor/governors.ts";
import { ManagedServers } from "./mcp/servers.ts";
import { openModelClient } from "./model-client.ts";
import { ModelMeter } from "./model-meter.ts";
import { Runner } from "./runner.ts";
import type { Tools } from "./tools/invoke.ts";

export interface AgentParts {
  readonly settings: Settings;
  /** The agent process's number in the tree. */
  readonly id: number;
  readonly pid: number;
  readonly agents: ReadonlyMap<string, AgentConfig>;
  readonly access: Pick<Access, "budget">;
  readonly tools: Tools;
  readonly mcpServers: McpServers;
  readonly log: Log;
  readonly meter?: ModelMeter;
}

export interface OpenedAgent {
  readonly runner: Runner;
  readonly meter: ModelMeter;
  readonly governors: Governors;
  readonly mcp: ManagedServers;
  readonly bus: Engine["bus"];
  /** Lets the runs end within that time or hands them back, and then closes everything that `openAgent` opened. */
  readonly drain: (withinMs: number) => Promise<void>;
}

/** Begins to claim runs once `runner.start()` is called. */
export async function openAgent(parts: AgentParts): Promise<OpenedAgent> {
  const { settings, id, pid, agents, access, tools, mcpServers, log, meter = new ModelMeter() } = parts;
  const { machine, boot, agentConcurrency: concurrency, modelIdleMs: idleMs, modelWordlessMs: wordlessMs } = settings;
  const engine = await openEngine({ ...settings, limits: { queued: settings.maxQueued } });
  const model = openModelClient(settings.model, agents.values());
  const owner = { machine, boot, process: agentName(id, pid) };
  const account = `${settings.model.baseUrl ?? ""} ${settings.model.apiKey}`;
  const governors = new Governors({ process: owner.process, engine, log, account });
  const mcp = new ManagedServers({ servers: mcpServers, env: programEnv(), log });
  const patience = { idleMs, wordlessMs };
  const deps = { engine, agents, access, tools, client: model.client, meter, governors, mcp, log, patience };
  const runner = new Runner({ ...deps, owner, concurrency });
  const drain = async (withinMs: number) => {
    await runner.drain(withinMs);
    governors.stop();
    model[Symbol.dispose]();
    await mcp.stop();
    await engine.close();
  };
  return { runner, meter, governors, mcp, bus: () => engine.bus(), drain };
}
