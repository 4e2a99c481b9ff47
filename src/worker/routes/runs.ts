/** Runs: list, one, its events (a list, or a stream to resume), cancel, retry. */
import { CANCEL_RUN, LIST_RUNS, READ_EVENTS, RETRY_RUN, SHOW_RUN } from "../../api/runs.ts";
import { AppError } from "../../core/errors.ts";
import { newId } from "../../core/id.ts";
import { isOver, type Run } from "../../core/run.ts";
import type { RunFilter } from "../../engine/engine.ts";
import type { AppRouter, OwnDeps } from "../context.ts";
import { streamRun } from "../follow-run.ts";
import { EventPieces, sendPieces } from "../history-pieces.ts";
import { assertResumable } from "../position.ts";
import { answer, serve, TAKEN, type RouteInput, type Context } from "../serve.ts";
import { findRun, showRun } from "../show-run.ts";
import { delegatedUpTo } from "../with-subagents.ts";

export function runRoutes(router: AppRouter): void {
  serve(router, LIST_RUNS, async ({ query }, _ctx, { engine }) => {
    const { items, next } = await engine.runs(filterOf(query));
    return answer(200, { runs: items.map(showRun), next });
  });

  serve(router, SHOW_RUN, async ({ params }, _ctx, { engine }) => {
    return answer(200, showRun(await findRun(engine, params.run_id)));
  });

  serve(router, READ_EVENTS, async (asked, ctx, deps) => {
    const { engine, settings } = deps;
    const run = await findRun(engine, asked.params.run_id);
    const { name, after } = startOf(asked);
    const newest = await engine.lastEvent(run.run_id);
    assertResumable({ name, after, newest, of: `run ${run.run_id}` });
    if (ctx.accepts("json", "text/event-stream") === "text/event-stream") {
      const isInline = asked.query.subagents === "inline";
      return stream(ctx, deps, {
        run,
        after,
        ...(isInline && { before: await delegatedUpTo(deps, run.run_id, after) }),
      });
    }
    const { limit } = asked.query;
    const { basePath } = settings;
    const { pieceQueue } = deps.delivery;
    const pieces = new EventPieces({ engine, pieceQueue }, { runId: run.run_id, after, limit, newest, basePath });
    await sendPieces(ctx, deps.delivery, { head: '{"events":[', pieces, tail: () => `],"next":${pieces.next}}` });
    return TAKEN;
  });

  serve(router, CANCEL_RUN, async ({ params }, _ctx, { engine }) => {
    const { run_id: runId } = await findRun(engine, params.run_id);
    const run = await engine.cancel(runId);
    if (!run) throw runNotFound(runId);
    return answer(isOver(run.status) ? 200 : 202, showRun(run));
  });

  serve(router, RETRY_RUN, async ({ params }, _ctx, { engine, settings }) => {
    const { run_id: of } = await findRun(engine, params.run_id);
    const retry = await engine.retry({ of, runId: newId("run") });
    if (!retry) throw runNotFound(of);
    const { run, created } = retry;
    return answer(created ? 202 : 200, showRun(run), { Location: `${settings.basePath}/api/runs/${run.run_id}` });
  });
}

function runNotFound(runId: string): AppError {
  return new AppError("RUN_NOT_FOUND", `Run ${runId} was deleted.`);
}

interface RunStream {
  readonly run: Run;
  readonly after: number;
  readonly before?: readonly string[];
}

async function stream(ctx: Context, deps: OwnDeps, { run, after, before }: RunStream) {
  // 204 tells an EventSource that has everything not to reconnect (WHATWG HTML § 9.2.3).
  if (isOver(run.status) && (await deps.engine.events(run.run_id, after, { limit: 1 })).length === 0)
    return answer(204, undefined);
  ctx.respond = false;
  streamRun(deps, { response: ctx.res, run, after, ...(before && { before }) });
  return TAKEN;
}

/** `Last-Event-ID` wins over `after`: a reconnecting EventSource sends both, and only the header is current. */
function startOf({ query, headers }: RouteInput<typeof READ_EVENTS>): { name: string; after: number } {
  const last = headers["last-event-id"];
  return last === undefined ? { name: "after", after: query.after } : { name: "Last-Event-ID", after: last };
}

function filterOf(query: RouteInput<typeof LIST_RUNS>["query"]): RunFilter {
  const { limit, before, status, parked, agent_id, thread_id, parent_run_id, top_level } = query;
  return {
    limit,
    ...(before !== undefined && { before }),
    ...(status !== undefined && { status }),
    ...(parked !== undefined && { parked }),
    ...(agent_id !== undefined && { agentId: agent_id }),
    ...(thread_id !== undefined && { threadId: thread_id }),
    ...(parent_run_id !== undefined && { parentRunId: parent_run_id }),
    ...(top_level !== undefined && { topLevel: top_level }),
  };
}
