/** What operators ask for: the processes, readiness, version and mode. The fast lane serves `/health`. */
import { LIST_PROCESSES, READ_INFO, READ_READY, SCALE_PROCESSES } from "../../api/system.ts";
import { SCALE, type ChildKind } from "../../process/protocol.ts";
import { VERSION } from "../../version.ts";
import type { AppRouter, OwnDeps, RouteDeps } from "../context.ts";
import { answer, serve } from "../serve.ts";

export function systemRoutes(router: AppRouter, deps: RouteDeps): void {
  const { delivery, settings, agents, ask } = deps;

  serve(router, LIST_PROCESSES, () => {
    const { machine, machines, processes, advice } = delivery.feeds.processes.shown;
    return answer(200, { machine, machines, processes, advice });
  });

  serve(router, SCALE_PROCESSES, ({ body: { workers, agents } }) => {
    if (workers) ask({ to: "primary", name: SCALE, about: `worker=${workers}` });
    if (agents) ask({ to: "primary", name: SCALE, about: `agent=${agents}` });
    return answer(202, { workers: workers ?? null, agents: agents ?? null });
  });

  serve(router, READ_READY, async (_asked, _ctx, own) => {
    const checks = await readiness(own);
    const isReady = Object.values(checks).every((check) => check === "ok");
    const state = own.engine.bus();
    const bus = state && { name: state.name, connected: state.isConnected };
    return isReady ? answer(200, { status: "ready", checks, bus }) : answer(503, { status: "not_ready", checks, bus });
  });

  serve(router, READ_INFO, async (_asked, _ctx, { engine }) => {
    const { mode, environment, workers, reload, model } = settings;
    const body = {
      name: "evenkeel",
      version: VERSION,
      mode,
      environment,
      reload,
      node: process.version,
      engine: { driver: engine.driver, runs: await engine.counts() },
      processes: { workers, agents: settings.agents },
      model: { simulated: model.simulated },
      agents: [...agents.keys()],
    } as const;
    return answer(200, body);
  });
}

async function readiness({ engine, delivery, settings, closing }: OwnDeps): Promise<Record<string, string>> {
  const { ownProcesses } = delivery.feeds.processes;
  const serving = (kind: ChildKind) =>
    ownProcesses.some((process) => process.kind === kind && process.state === "ready") ? "ok" : `no ${kind} is ready`;
  const storage = await engine.check().then(
    () => "ok",
    (error: unknown) => (error instanceof Error ? error.message : "failed"),
  );
  return {
    storage,
    agents: serving("agent"),
    model: settings.model.simulated ? serving("simulator") : "ok",
    // The primary says so before the workers begin: requests that come all the same are served.
    worker: closing.aborted || ownProcesses[0]?.state === "draining" ? "draining" : "ok",
  };
}
