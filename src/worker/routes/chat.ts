/** Chat in its three forms: wait for the reply, stream the events, or take a task and poll. */
import type { RouterContext } from "@koa/router";
import { toAppError } from "../../core/errors.ts";
import type { Run } from "../../core/run.ts";
import type { AppRouter } from "../app.ts";
import { readChat } from "../chat-request.ts";
import type { RequestState, WorkerDeps } from "../context.ts";
import { streamRun, waitForEnd } from "../follow-run.ts";
import { invalid, readJson } from "../input.ts";
import { PatientReply } from "../keep-alive-reply.ts";
import { problemOf } from "../problem.ts";
import { failureOf, findRun, showReply, showTask } from "../show-run.ts";

type Context = RouterContext<RequestState>;

/** The run that a request made, or had made before, and what to do when the client hangs up. */
interface Chat {
  readonly run: Run;
  readonly onAbandon: () => void;
}

export function chatRoutes(router: AppRouter, deps: WorkerDeps): void {
  router.post("/api/chat", async (ctx) => {
    const chat = await enqueue(ctx, deps);
    if (ctx.accepts("json", "text/event-stream") === "text/event-stream") return stream(ctx, deps, chat);
    if (prefersAsync(ctx)) return accept(ctx, chat.run);
    return reply(ctx, deps, chat);
  });

  router.post("/api/chat/stream", async (ctx) => {
    stream(ctx, deps, await enqueue(ctx, deps));
  });

  router.post("/api/chat/async", async (ctx) => {
    accept(ctx, (await enqueue(ctx, deps)).run);
  });

  router.get("/api/chat/task/:taskId", async (ctx) => {
    ctx.body = showTask(await findRun(deps.engine, ctx.params["taskId"]));
  });
}

async function enqueue(ctx: Context, { engine, agents, log }: WorkerDeps): Promise<Chat> {
  const body = await readJson(ctx.req);
  const idempotencyKey = readIdempotencyKey(ctx.headers["idempotency-key"]);
  const request = readChat(body, { agents, principal: ctx.state.principal, idempotencyKey });
  const { run, created } = await engine.enqueue(request.run);
  if (!created) ctx.set("Idempotent-Replayed", "true");
  const cancel = () => {
    engine.cancel(run.run_id).catch((error: unknown) => log.error({ err: error, run_id: run.run_id }, "cancel failed"));
  };
  // A disconnect is not a cancel, unless the client said so: runs are there to be left and come back to.
  return { run, onAbandon: request.cancelOnDisconnect ? cancel : () => {} };
}

/** The Idempotency-Key header field (draft-ietf-httpapi-idempotency-key-header). */
function readIdempotencyKey(value: string | string[] | undefined): string | null {
  if (value === undefined) return null;
  if (typeof value === "string" && /^[\x21-\x7e]{1,255}$/.test(value)) return value;
  throw invalid("Idempotency-Key", "1 to 255 visible ASCII characters", value);
}

/** RFC 7240 § 4.1. */
function prefersAsync(ctx: Context): boolean {
  return /\brespond-async\b/i.test(ctx.get("Prefer"));
}

function stream(ctx: Context, deps: WorkerDeps, { run, onAbandon }: Chat): void {
  ctx.respond = false;
  ctx.set("Content-Location", `/api/runs/${run.run_id}`);
  streamRun(deps, { response: ctx.res, run, after: 0, onAbandon });
}

function accept(ctx: Context, run: Run): void {
  ctx.status = 202;
  ctx.set("Location", `/api/chat/task/${run.run_id}`);
  if (prefersAsync(ctx)) ctx.set("Preference-Applied", "respond-async");
  ctx.body = { task_id: run.run_id, run_id: run.run_id, thread_id: run.thread_id, status: "pending" };
}

async function reply(ctx: Context, deps: WorkerDeps, { run, onAbandon }: Chat): Promise<void> {
  ctx.respond = false;
  // Gone while its run was being stored: there will be no close event to free what is made below.
  if (ctx.res.destroyed) return onAbandon();
  const hungUp = new AbortController();
  ctx.res.on("close", () => hungUp.abort());
  const patient = new PatientReply(ctx.res);
  try {
    const ended = await waitForEnd(deps, run, hungUp.signal);
    if (hungUp.signal.aborted) return onAbandon();
    const failure = failureOf(ended);
    if (failure) throw failure;
    patient.send(200, "application/json", showReply(ended));
  } catch (error) {
    const known = toAppError(error);
    const problem = problemOf(known, ctx.state.requestId);
    if (known.retryAfterS !== undefined && !ctx.res.headersSent) ctx.res.setHeader("Retry-After", known.retryAfterS);
    patient.send(problem.status, "application/problem+json", problem);
  }
}
