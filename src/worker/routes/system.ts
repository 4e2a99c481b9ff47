/** What operators ask: which processes, ready or not, what version and mode. `/health` is in the fast lane. */
import { VERSION } from "../../version.ts";
import type { ChildKind } from "../../process/protocol.ts";
import type { AppRouter } from "../app.ts";
import type { WorkerDeps } from "../context.ts";

export function systemRoutes(router: AppRouter, deps: WorkerDeps): void {
  const { delivery, settings, agents } = deps;

  router.get("/api/workers", (ctx) => {
    ctx.body = { processes: delivery.feeds.processes.processes };
  });

  router.get("/ready", async (ctx) => {
    const checks = await readiness(deps);
    const ready = Object.values(checks).every((check) => check === "ok");
    ctx.status = ready ? 200 : 503;
    ctx.body = { status: ready ? "ready" : "not_ready", checks };
  });

  router.get("/info", async (ctx) => {
    const { mode, environment, workers, reload, model } = settings;
    ctx.body = {
      name: "evenkeel",
      version: VERSION,
      mode,
      environment,
      reload,
      node: process.version,
      engine: { driver: "sqlite", runs: await deps.engine.counts() },
      processes: { workers, agents: settings.agents },
      model: { simulated: model.simulated },
      agents: [...agents.keys()],
    };
  });
}

async function readiness({ engine, delivery, settings, closing }: WorkerDeps): Promise<Record<string, string>> {
  const { processes } = delivery.feeds.processes;
  const serving = (kind: ChildKind) =>
    processes.some((process) => process.kind === kind && process.state === "ready") ? "ok" : `no ${kind} is ready`;
  const storage = await engine.counts().then(
    () => "ok",
    (error: unknown) => (error instanceof Error ? error.message : "failed"),
  );
  return {
    storage,
    agents: serving("agent"),
    model: settings.model.simulated ? serving("simulator") : "ok",
    worker: closing.aborted ? "draining" : "ok",
  };
}
