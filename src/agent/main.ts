/** Entry of an agent process: claims runs and works on them. Never serves HTTP. */
import { loadConfig } from "../config.ts";
import { busGauges, GAUGE } from "../core/gauges.ts";
import { MCP_NOTE, MCP_RESTART } from "../core/mcp-servers.ts";
import { createLog, logFailedStart, logFatal } from "../observe/log.ts";
import { answerToOwnName } from "../own-name.ts";
import { runService, type Service } from "../process/lifecycle.ts";
import { connectParent } from "../process/parent.ts";
import { lowerPriority } from "../process/priority.ts";
import { completeSettings, type Settings } from "../settings.ts";
import { openAgent } from "./agent.ts";
import { killLeftoversOfTheDead } from "./leftovers.ts";
import { Hosts } from "./tools/hosts/hosts.ts";
import { loadToolsFor } from "./tools/registry.ts";

answerToOwnName();
const { parent, settings: sent } = await connectParent<Partial<Settings>>();
const settings = completeSettings(sent);
const id = Number(process.argv[2]);
const name = `agent ${id}`;
const log = await createLog(settings, name);

async function start(): Promise<Service> {
  lowerPriority();
  const hosts = new Hosts(log);
  const { agents, access, mcpServers } = await loadConfig(settings);
  const tools = await loadToolsFor(agents.values(), settings, hosts);
  const { pid } = process;
  const { runner, meter, governors, mcp, bus, drain } = await openAgent({
    settings,
    id,
    pid,
    agents,
    access,
    tools,
    mcpServers,
    log,
  });
  await runner.start();
  // Ends programs that a killed agent process could not end itself.
  void killLeftoversOfTheDead();
  return {
    inFlight: () => runner.inFlight,
    gauges: () => ({
      ...meter.read(),
      ...governors.read(),
      ...hosts.read(),
      ...busGauges(bus()),
      [GAUGE.runsParked]: runner.parked,
    }),
    notes: () => ({ [MCP_NOTE]: mcp.note() }),
    onRequest: ({ name, about }) => {
      if (name === MCP_RESTART) void mcp.restart(about);
    },
    drain: async (withinMs) => {
      await drain(withinMs);
      await hosts.stop();
    },
  };
}

await runService({
  parent,
  title: `evenkeel ${name}`,
  start,
  onFatal: (error) => logFatal(log, error),
  onFailedStart: (error) => logFailedStart(log, error, settings),
  sigtermDrainMs: settings.drainMs,
});
