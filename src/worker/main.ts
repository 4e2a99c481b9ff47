/** Entry of a worker process: serves HTTP from the shared port, and nothing else. */
import { loadAgents } from "../config.ts";
import { openEngine } from "../engine/open.ts";
import { createLog } from "../observe/log.ts";
import { runService, type Service } from "../process/lifecycle.ts";
import type { ProcessInfo } from "../process/protocol.ts";
import { childSettings } from "../settings.ts";
import { RunFeeds } from "../stream/feed.ts";
import { SseStreams } from "../stream/sse.ts";
import { createListener } from "./listener.ts";
import { HttpServer } from "./server.ts";

const settings = childSettings();
const name = `worker ${process.argv[2] ?? ""}`;
const log = await createLog(settings, name);

async function start(): Promise<Service> {
  const engine = await openEngine({ ...settings, limits: { queued: settings.maxQueued } });
  const agents = await loadAgents(settings.configDir);
  const feeds = new RunFeeds(engine);
  const streams = new SseStreams(settings.slowClientMs);
  const closing = new AbortController();
  let snapshot: readonly ProcessInfo[] = [];
  const server = new HttpServer(
    createListener({
      settings,
      engine,
      agents,
      feeds,
      streams,
      log,
      processes: () => snapshot,
      closing: closing.signal,
    }),
  );
  const port = await server.listen(settings.host, settings.port);
  return {
    port,
    inFlight: () => server.inFlight,
    onSnapshot: (processes) => (snapshot = processes),
    drain: async () => {
      // Requests and streams get the time to end by themselves; then waiters are told, streams resume elsewhere.
      const letGo = setTimeout(() => {
        closing.abort();
        streams.stop();
      }, settings.drainMs);
      await server.drain(settings.drainMs + 1_000);
      clearTimeout(letGo);
      streams.stop();
      feeds.stop();
      await engine.close();
    },
  };
}

await runService({ title: `evenkeel ${name}`, start, onFatal: (error) => log.fatal({ err: error }, "worker ends") });
