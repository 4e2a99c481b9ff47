/** Spending, summed by group. */
import { READ_USAGE } from "../../api/usage.ts";
import type { AppRouter } from "../context.ts";
import { answer, serve } from "../serve.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

export function usageRoutes(router: AppRouter): void {
  serve(router, READ_USAGE, async ({ query: { by, days } }, _ctx, { engine }) => {
    const since = new Date(Date.now() - (days - 1) * DAY_MS).toISOString().slice(0, 10);
    return answer(200, { by, since, usage: await engine.spending({ by, since }) });
  });
}
