/** Threads: list, one with its messages, delete. */
import { DELETE_THREAD, LIST_THREADS, SHOW_THREAD } from "../../api/threads.ts";
import { AppError } from "../../core/errors.ts";
import type { AppRouter } from "../context.ts";
import { toJson } from "../../core/json.ts";
import { MessagePieces, sendPieces } from "../history-pieces.ts";
import { answer, serve, TAKEN } from "../serve.ts";

export function threadRoutes(router: AppRouter): void {
  serve(router, LIST_THREADS, async ({ query: { limit, before } }, _ctx, { engine }) => {
    const { items, next } = await engine.threads({ limit, ...(before !== undefined && { before }) });
    return answer(200, { threads: [...items], next });
  });

  serve(router, SHOW_THREAD, async ({ params: { thread_id: threadId }, query }, ctx, { engine, delivery }) => {
    const thread = await engine.thread(threadId);
    if (!thread) throw notFound(threadId);
    const { limit, before } = query;
    const pieces = new MessagePieces({ engine, pieceQueue: delivery.pieceQueue }, { threadId, limit, before });
    const head = `${toJson(thread).slice(0, -1)},"messages":[`;
    await sendPieces(ctx, delivery, { head, pieces, tail: () => `],"next":${pieces.next}}` });
    return TAKEN;
  });

  serve(router, DELETE_THREAD, async ({ params: { thread_id: threadId } }, _ctx, { engine }) => {
    if (!(await engine.deleteThread(threadId))) throw notFound(threadId);
    return answer(204, undefined);
  });
}

function notFound(threadId: string): AppError {
  const shown = JSON.stringify(threadId.slice(0, 140));
  return new AppError("THREAD_NOT_FOUND", `There is no thread ${shown}; GET /api/threads lists them.`);
}
