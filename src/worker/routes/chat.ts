/** Chat in its three forms: wait for the reply, stream the events, or take a task and poll. */
import { BEGIN_CHAT, POST_CHAT, SHOW_TASK, STREAM_CHAT } from "../../api/chat.ts";
import type { Run } from "../../core/run.ts";
import type { AppRouter } from "../app.ts";
import { newRunOf } from "../chat-request.ts";
import type { WorkerDeps } from "../context.ts";
import { streamRun, waitForEnd } from "../follow-run.ts";
import { PatientReply } from "../keep-alive-reply.ts";
import { problemOf } from "../problem.ts";
import { reportFailure } from "../report-failure.ts";
import { answer, serve, TAKEN, type Asked, type Context } from "../serve.ts";
import { failureOf, findRun, showReply, showTask } from "../show-run.ts";

/** All three forms take the same request. */
type AskedChat = Pick<Asked<typeof POST_CHAT>, "body" | "given" | "headers">;

/** The run that a request made, or had made before, and what to do when the client hangs up. */
interface Chat {
  readonly run: Run;
  readonly onAbandon: () => void;
}

export function chatRoutes(router: AppRouter, deps: WorkerDeps): void {
  serve(router, POST_CHAT, async (asked, ctx) => {
    const chat = await enqueue(asked, ctx, deps);
    if (ctx.accepts("json", "text/event-stream") === "text/event-stream") return stream(ctx, deps, chat);
    if (prefersAsync(asked)) return accepted(chat.run, { "Preference-Applied": "respond-async" });
    return reply(ctx, deps, chat);
  });

  serve(router, STREAM_CHAT, async (asked, ctx) => stream(ctx, deps, await enqueue(asked, ctx, deps)));

  serve(router, BEGIN_CHAT, async (asked, ctx) => {
    const { run } = await enqueue(asked, ctx, deps);
    return accepted(run, prefersAsync(asked) ? { "Preference-Applied": "respond-async" } : {});
  });

  serve(router, SHOW_TASK, async ({ params }) => {
    return answer(200, showTask(await findRun(deps.engine, params.task_id)));
  });
}

async function enqueue({ body, given, headers }: AskedChat, ctx: Context, deps: WorkerDeps): Promise<Chat> {
  const { engine, agents, log } = deps;
  const idempotencyKey = headers["idempotency-key"] ?? null;
  const { principal } = ctx.state;
  const { run, created } = await engine.enqueue(newRunOf(body, { agents, principal, idempotencyKey, given }));
  if (!created) ctx.set("Idempotent-Replayed", "true");
  const cancel = () => {
    engine.cancel(run.run_id).catch((error: unknown) => log.error({ err: error, run_id: run.run_id }, "cancel failed"));
  };
  // A disconnect is not a cancel, unless the client said so: runs are there to be left and come back to.
  return { run, onAbandon: body.on_disconnect === "cancel" ? cancel : () => {} };
}

/** RFC 7240 § 4.1. */
function prefersAsync({ headers }: AskedChat): boolean {
  return /\brespond-async\b/i.test(headers.prefer ?? "");
}

function stream(ctx: Context, deps: WorkerDeps, { run, onAbandon }: Chat): typeof TAKEN {
  ctx.respond = false;
  ctx.set("Content-Location", `/api/runs/${run.run_id}`);
  streamRun(deps, { response: ctx.res, run, after: 0, onAbandon });
  return TAKEN;
}

function accepted(run: Run, headers: Readonly<Record<string, string>>) {
  const { run_id, thread_id } = run;
  const body = { task_id: run_id, run_id, thread_id, status: "pending" } as const;
  return answer(202, body, { Location: `/api/chat/task/${run_id}`, ...headers });
}

async function reply(ctx: Context, deps: WorkerDeps, { run, onAbandon }: Chat): Promise<typeof TAKEN> {
  ctx.respond = false;
  // Gone while its run was being stored: there will be no close event to free what is made below.
  if (ctx.res.destroyed) {
    onAbandon();
    return TAKEN;
  }
  const hungUp = new AbortController();
  ctx.res.on("close", () => hungUp.abort());
  const patient = new PatientReply(ctx.res);
  try {
    const ended = await waitForEnd(deps, run, hungUp.signal);
    const failure = failureOf(ended);
    if (hungUp.signal.aborted) onAbandon();
    else if (failure) throw failure;
    else patient.send(200, "application/json", showReply(ended));
  } catch (error) {
    const known = reportFailure(deps.log, error, { request_id: ctx.state.requestId, run_id: run.run_id });
    const problem = problemOf(known, ctx.state.requestId);
    if (known.retryAfterS !== undefined && !ctx.res.headersSent) ctx.res.setHeader("Retry-After", known.retryAfterS);
    patient.send(problem.status, "application/problem+json", problem);
  }
  return TAKEN;
}
