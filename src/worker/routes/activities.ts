/** Posting a notice to the activity feed. Reading it is in the fast lane. */
import type { AppRouter } from "../app.ts";
import type { WorkerDeps } from "../context.ts";
import { assertKnown, invalid, readJson } from "../input.ts";

const MAX_NOTICE_CHARACTERS = 16 * 1024;

export function activityRoutes(router: AppRouter, { engine }: WorkerDeps): void {
  router.post("/api/activities", async (ctx) => {
    const body = await readJson(ctx.req);
    assertKnown(body, ["role", "content"]);
    const role = readText("role", body["role"], 64);
    const content = readText("content", body["content"], MAX_NOTICE_CHARACTERS);
    ctx.status = 201;
    ctx.body = await engine.post({ type: "notice", detail: { role, content } });
  });
}

function readText(name: string, value: unknown, maxLength: number): string {
  if (typeof value === "string" && value !== "" && value.length <= maxLength) return value;
  throw invalid(name, `a string of 1 to ${maxLength} characters`, value);
}
