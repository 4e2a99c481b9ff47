/** `GET /metrics`, for Prometheus: figures of all processes, whichever worker answers. */
import { READ_METRICS } from "../../api/system.ts";
import { renderMetrics } from "../../observe/metrics.ts";
import type { AppRouter, RouteDeps } from "../context.ts";
import { serve, TAKEN } from "../serve.ts";

export function metricsRoutes(router: AppRouter, { delivery }: RouteDeps): void {
  serve(router, READ_METRICS, async (_asked, ctx) => {
    const { processes, advice } = delivery.feeds.processes;
    const { contentType, text } = await renderMetrics(processes, advice);
    ctx.set("Content-Type", contentType);
    ctx.body = text;
    return TAKEN;
  });
}
