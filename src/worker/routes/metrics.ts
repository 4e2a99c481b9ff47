/** `GET /metrics`, for Prometheus: all processes, whichever worker is asked. */
import { renderMetrics } from "../../observe/metrics.ts";
import type { AppRouter } from "../app.ts";
import type { WorkerDeps } from "../context.ts";

export function metricsRoutes(router: AppRouter, { delivery }: WorkerDeps): void {
  router.get("/metrics", async (ctx) => {
    const { contentType, text } = await renderMetrics(delivery.feeds.processes.processes);
    ctx.set("Content-Type", contentType);
    ctx.set("Cache-Control", "no-store");
    ctx.body = text;
  });
}
