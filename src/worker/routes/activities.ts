/** Posts a notice to the activity feed. The fast lane serves reading it. */
import { POST_NOTICE } from "../../api/activities.ts";
import type { AppRouter } from "../context.ts";
import { answer, serve } from "../serve.ts";

export function activityRoutes(router: AppRouter): void {
  serve(router, POST_NOTICE, async ({ body: { role, content } }, _ctx, { engine }) => {
    return answer(201, await engine.post({ type: "notice", detail: { role, content } }));
  });
}
