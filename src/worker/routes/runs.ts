/** Runs: list, one, its events (a list, or a stream to resume), cancel. */
import type { RouterContext } from "@koa/router";
import { AppError } from "../../core/errors.ts";
import { isOver, RUN_STATUSES, type Run } from "../../core/run.ts";
import type { Engine, RunFilter } from "../../engine/engine.ts";
import type { AppRouter } from "../app.ts";
import type { RequestState, WorkerDeps } from "../context.ts";
import { streamRun } from "../follow-run.ts";
import { param, readChoice, readPage, readPosition } from "../input.ts";
import { assertResumable } from "../position.ts";
import { findRun, showRun } from "../show-run.ts";

type Context = RouterContext<RequestState>;

export function runRoutes(router: AppRouter, deps: WorkerDeps): void {
  const { engine } = deps;

  router.get("/api/runs", async (ctx) => {
    const { items, next } = await engine.runs(readFilter(new URLSearchParams(ctx.querystring)));
    ctx.body = { runs: items.map(showRun), next };
  });

  router.get("/api/runs/:runId", async (ctx) => {
    ctx.body = showRun(await findRun(engine, ctx.params["runId"]));
  });

  router.get("/api/runs/:runId/events", async (ctx) => {
    const run = await findRun(engine, ctx.params["runId"]);
    const after = await readAfter(ctx, engine, run);
    if (ctx.accepts("json", "text/event-stream") === "text/event-stream") return stream(ctx, deps, { run, after });
    const { limit } = readPage(new URLSearchParams(ctx.querystring));
    const events = await engine.events(run.run_id, after, { limit });
    ctx.type = "json";
    // Rows are JSON already: joined, not parsed and written again.
    ctx.body = `{"events":[${events.map(({ data }) => data).join(",")}],"next":${events.length === limit ? events.at(-1)?.seq : null}}`;
  });

  router.post("/api/runs/:runId/cancel", async (ctx) => {
    const { run_id: runId } = await findRun(engine, ctx.params["runId"]);
    const run = await engine.cancel(runId);
    if (!run) throw new AppError("RUN_NOT_FOUND", `Run ${runId} was deleted.`);
    ctx.status = isOver(run.status) ? 200 : 202;
    ctx.body = showRun(run);
  });
}

async function stream(ctx: Context, deps: WorkerDeps, { run, after }: { run: Run; after: number }): Promise<void> {
  if (isOver(run.status) && (await deps.engine.events(run.run_id, after, { limit: 1 })).length === 0) {
    // 204 is how a server tells an EventSource that has everything not to reconnect (WHATWG HTML § 9.2.3).
    ctx.status = 204;
    return;
  }
  ctx.respond = false;
  streamRun(deps, { response: ctx.res, run, after });
}

/** `Last-Event-ID` wins over `after`: a reconnecting EventSource sends both, and only the first is current. */
async function readAfter(ctx: Context, engine: Engine, run: Run): Promise<number> {
  const header = ctx.headers["last-event-id"];
  const name = header === undefined ? "after" : "Last-Event-ID";
  const value = typeof header === "string" ? header : param(new URLSearchParams(ctx.querystring), "after");
  const after = readPosition(name, value ?? "0");
  assertResumable({ name, after, newest: await engine.lastEvent(run.run_id), of: `run ${run.run_id}` });
  return after;
}

function readFilter(query: URLSearchParams): RunFilter {
  const status = param(query, "status");
  const agentId = param(query, "agent_id");
  const threadId = param(query, "thread_id");
  const parentRunId = param(query, "parent_run_id");
  const topLevel = param(query, "top_level");
  return {
    ...readPage(query),
    ...(status !== undefined && { status: readChoice("status", status, RUN_STATUSES) }),
    ...(agentId !== undefined && { agentId }),
    ...(threadId !== undefined && { threadId }),
    ...(parentRunId !== undefined && { parentRunId }),
    ...(topLevel !== undefined && { topLevel: readChoice("top_level", topLevel, ["true", "false"]) === "true" }),
  };
}
