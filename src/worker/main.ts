/** Entry of a worker process: serves HTTP from the shared port, and nothing else. */
import { loadConfig } from "../config.ts";
import { busGauges } from "../core/gauges.ts";
import { openEngine } from "../engine/open.ts";
import { createLog, logFailedStart, logFatal } from "../observe/log.ts";
import { answerToOwnName } from "../own-name.ts";
import { runService, type Outside, type Service } from "../process/lifecycle.ts";
import { connectParent } from "../process/parent.ts";
import { completeSettings, type Settings } from "../settings.ts";
import { Delivery } from "../stream/delivery.ts";
import { BodyMemory, KEPT_LIMIT_BYTES } from "./body-memory.ts";
import { Guard } from "./guard.ts";
import { HealthProbe } from "./health-probe.ts";
import { createListener } from "./listener.ts";
import { McpBoard } from "./mcp-board.ts";
import { HttpServer } from "./server.ts";
import { createUpgrade } from "./socket/upgrade.ts";

answerToOwnName();
const { parent, settings: sent } = await connectParent<Partial<Settings>>();
const settings = completeSettings(sent);
const name = `worker ${process.argv[2] ?? ""}`;
const log = await createLog(settings, name);

async function start(outside: Outside): Promise<Service> {
  const engine = await openEngine({ ...settings, limits: { queued: settings.maxQueued } });
  const { agents, access, mcpServers } = await loadConfig(settings);
  const guard = new Guard(settings.apiKeys, access);
  const mcpBoard = new McpBoard(outside.request);
  const delivery = new Delivery(engine, settings);
  const closing = new AbortController();
  const deps = {
    settings,
    engine,
    agents,
    access,
    guard,
    mcpServers,
    mcpBoard,
    ask: outside.request,
    delivery,
    bodyMemory: new BodyMemory(),
    keptMemory: new BodyMemory(KEPT_LIMIT_BYTES),
    log,
    closing: closing.signal,
  };
  const server = new HttpServer(createListener(deps), createUpgrade(deps), {
    keepAliveTimeout: settings.keepAliveMs,
  });
  const port = await server.listen(settings.host, settings.port);
  const probe = new HealthProbe((socket) => server.adopt(socket));
  await probe.start().catch((error: unknown) => log.warn({ err: error }, "/health is not measured"));
  return {
    port,
    inFlight: () => server.inFlight,
    gauges: () => ({ ...probe.read(), ...delivery.meter.read(), ...guard.counts.read(), ...busGauges(engine.bus()) }),
    onNotes: (processes) => mcpBoard.take(processes),
    onSnapshot: (snapshot) => delivery.feeds.processes.take(snapshot),
    drain: async (withinMs, othersServe) => {
      probe.stop();
      // Requests and streams get time to end by themselves. Then waiting clients are told, and streams resume at other
      // workers.
      const letGo = setTimeout(() => {
        closing.abort();
        delivery.stop();
      }, withinMs);
      // A socket has no end to wait for: its client reconnects to another process at once.
      delivery.sockets.stop();
      await server.drain(withinMs + 1_000, { othersServe });
      clearTimeout(letGo);
      delivery.stop();
      await engine.close();
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
