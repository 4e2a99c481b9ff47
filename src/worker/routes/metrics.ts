/** `GET /metrics`, for Prometheus: figures of all processes of this machine, whichever worker answers. */
import { READ_METRICS } from "../../api/system.ts";
import { renderMetrics } from "../../observe/metrics.ts";
import type { AppRouter, RouteDeps } from "../context.ts";
import { serve, TAKEN } from "../serve.ts";

export function metricsRoutes(router: AppRouter, { delivery }: RouteDeps): void {
  serve(router, READ_METRICS, async (_asked, ctx) => {
    const { contentType, text } = await renderMetrics(delivery.feeds.processes.shown);
    ctx.set("Content-Type", contentType);
    ctx.body = text;
    return TAKEN;
  });
}
