/** Threads: list, one with its messages, delete. */
import { AppError } from "../../core/errors.ts";
import type { AppRouter } from "../app.ts";
import type { WorkerDeps } from "../context.ts";
import { readPage } from "../input.ts";

export function threadRoutes(router: AppRouter, { engine }: WorkerDeps): void {
  router.get("/api/threads", async (ctx) => {
    const { items, next } = await engine.threads(readPage(new URLSearchParams(ctx.querystring)));
    ctx.body = { threads: items, next };
  });

  router.get("/api/threads/:threadId", async (ctx) => {
    const threadId = ctx.params["threadId"] ?? "";
    const thread = await engine.thread(threadId);
    if (!thread) throw notFound(threadId);
    ctx.body = thread;
  });

  router.delete("/api/threads/:threadId", async (ctx) => {
    const threadId = ctx.params["threadId"] ?? "";
    if (!(await engine.deleteThread(threadId))) throw notFound(threadId);
    ctx.status = 204;
  });
}

function notFound(threadId: string): AppError {
  const shown = JSON.stringify(threadId.slice(0, 140));
  return new AppError("THREAD_NOT_FOUND", `There is no thread ${shown}; GET /api/threads lists them.`);
}
