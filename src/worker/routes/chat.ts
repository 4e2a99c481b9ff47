/** Chat in its three forms: wait for the reply, stream the events, or take a task and poll. */
import { RESUME_UI_CHAT, SHOW_UI_CHAT, STOP_UI_CHAT, type UiChat } from "../../api/ai-sdk.ts";
import { BEGIN_CHAT, POST_CHAT, SHOW_TASK, STREAM_CHAT } from "../../api/chat.ts";
import { MAX_PAGE_ROWS } from "../../core/limits.ts";
import type { NewRun, Run } from "../../core/run.ts";
import type { Files } from "../../engine/files.ts";
import { filesIn, uiMessagesOf } from "../../protocols/ai-sdk-messages.ts";
import { AiSdkStream } from "../../protocols/ai-sdk-stream.ts";
import type { StreamEncoder } from "../../protocols/encoder.ts";
import { chatOf, earlierIn, idempotencyKeyOf, supersededBy } from "../ai-sdk.ts";
import { cancelLater } from "../cancel-later.ts";
import type { AppRouter, OwnDeps } from "../context.ts";
import { newRunOf } from "../chat-request.ts";
import { streamRun, type StreamOptions } from "../follow-run.ts";
import type { OwnEngine } from "../own-engine.ts";
import { assertNamesRun, resumeAt } from "../position.ts";
import { replyWhenOver } from "../reply.ts";
import { saidBefore, type SaidElsewhere } from "../said-elsewhere.ts";
import { answer, serve, TAKEN, type RouteInput, type Context } from "../serve.ts";
import { failureOf, findRun, showReply, showTask } from "../show-run.ts";
import { uiPageOf } from "../ui-page.ts";
import { delegatedUpTo } from "../with-subagents.ts";

/** All three forms take the same request; `POST /api/chat` also takes a request of the AI SDK. */
type ChatInput = Pick<RouteInput<typeof BEGIN_CHAT>, "body" | "given" | "headers"> &
  Pick<NewRun, "supersedes"> & { readonly isBackground?: boolean; readonly earlier?: readonly SaidElsewhere[] };

type StreamInput = Pick<RouteInput<typeof STREAM_CHAT>, "body" | "given" | "headers">;

/** The run that a request made, or that its repeat found, and what to do when the client disconnects. */
interface Started {
  readonly run: Run;
  /** False for a repeat. */
  readonly created: boolean;
  readonly onAbandon: () => void;
  /** For a client of another protocol. */
  readonly encoder?: StreamEncoder;
}

/** Where a stream begins, when that is not at the run's first event. */
type StreamFrom = Partial<Pick<StreamOptions, "after" | "before">>;

export function chatRoutes(router: AppRouter): void {
  serve(router, POST_CHAT, async (asked, ctx, deps) => {
    if (asked.foreign) {
      const started = await enqueue(askedByUi(asked.foreign, asked, deps), ctx, deps);
      return stream(ctx, deps, { ...started, encoder: new AiSdkStream() });
    }
    const isStream = ctx.accepts("json", "text/event-stream") === "text/event-stream";
    if (isStream) return enqueueAndStream(asked, ctx, deps);
    const waitS = waitOf(asked);
    const isBackground = waitS === undefined && prefersAsync(asked);
    const chat = await enqueue({ ...asked, isBackground }, ctx, deps);
    if (isBackground) return accepted(deps, chat.run, "respond-async");
    return reply(ctx, deps, { ...chat, ...(waitS !== undefined && { waitS }) });
  });

  serve(router, STREAM_CHAT, enqueueAndStream);

  serve(router, BEGIN_CHAT, async (asked, ctx, deps) => {
    const { run } = await enqueue({ ...asked, isBackground: true }, ctx, deps);
    return accepted(deps, run, prefersAsync(asked) ? "respond-async" : undefined);
  });

  serve(router, RESUME_UI_CHAT, async ({ params }, ctx, deps) => {
    const run = await runUnderWay(deps, params.thread_id);
    if (!run) return answer(204, undefined);
    return stream(ctx, deps, { run, created: false, onAbandon: () => {}, encoder: new AiSdkStream() });
  });

  serve(router, SHOW_UI_CHAT, async ({ params: { thread_id: threadId }, query }, _ctx, deps) => {
    const { engine, settings } = deps;
    const { pieceQueue } = deps.delivery;
    // Read before the messages: of a run that ends in between, the results are in the page.
    const underWay = await underWayIn(engine, threadId);
    const resumed = (await runUnderWay(deps, threadId))?.run_id;
    const { next, stored, ...cut } = await uiPageOf({ engine, pieceQueue }, threadId, query);
    const mediaTypes = await mediaTypesOf(filesIn(stored), engine.files);
    // A whole page is put into bytes in one go.
    await pieceQueue.next();
    const options = { underWay, resumed, mediaTypes, basePath: settings.basePath, ...cut };
    return answer(200, { messages: uiMessagesOf(stored, options), next });
  });

  serve(router, STOP_UI_CHAT, async ({ params }, _ctx, deps) => {
    const run = await runUnderWay(deps, params.thread_id);
    if (run) await deps.engine.cancel(run.run_id);
    return answer(204, undefined);
  });

  serve(router, SHOW_TASK, async ({ params }, _ctx, deps) => {
    return answer(200, showTask(await findRun(deps.engine, params.task_id)));
  });
}

async function mediaTypesOf(fileIds: readonly string[], files: Files): Promise<Map<string, string>> {
  const types = new Map<string, string>();
  for (const id of new Set(fileIds)) {
    const file = await files.find(id);
    if (file) types.set(id, file.media_type);
  }
  return types;
}

/** Translates a request of the AI SDK. */
function askedByUi(
  ui: UiChat,
  { query, given, headers }: RouteInput<typeof POST_CHAT>,
  { agents }: OwnDeps,
): ChatInput {
  const key = idempotencyKeyOf(ui);
  const supersedes = supersededBy(ui);
  return {
    body: chatOf(ui, query.agent, agents),
    // The client sends the earlier messages again each time, so only the new message identifies a repeat.
    given: { ...given, messages: (ui.messages ?? []).slice(-1) },
    headers: key === null ? headers : { ...headers, "idempotency-key": key },
    earlier: earlierIn(ui),
    ...(supersedes && { supersedes }),
  };
}

async function enqueue(
  { body, given, headers, supersedes, isBackground = false, earlier = [] }: ChatInput,
  ctx: Context,
  deps: OwnDeps,
): Promise<Started> {
  const { engine, agents } = deps;
  const idempotencyKey = headers["idempotency-key"] ?? null;
  const principal = ctx.state.principal.id;
  const { files } = engine;
  const asked = await newRunOf(body, { agents, principal, idempotencyKey, given, files, isBackground });
  const before = saidBefore(earlier);
  const { run, created } = await engine.enqueue({ ...asked, before, ...(supersedes && { supersedes }) });
  if (!created) ctx.set("Idempotent-Replayed", "true");
  const cancel = () => cancelLater(run, deps);
  // A disconnect is no cancel, unless the client said so: clients may leave a run and come back to it.
  return { run, created, onAbandon: body.on_disconnect === "cancel" ? cancel : () => {} };
}

/** The newest runs of the thread that are not over. Those behind the oldest one have made no calls yet. */
async function underWayIn(engine: OwnEngine, threadId: string): Promise<Set<string>> {
  const inStatus = async (status: "queued" | "running") =>
    (await engine.runs({ threadId, status, limit: MAX_PAGE_ROWS })).items.map(({ run_id: runId }) => runId);
  const queued = await inStatus("queued");
  return new Set([...queued, ...(await inStatus("running"))]);
}

/** The newest run of the thread that is not over. A newer one may be: a run that waits can be canceled before the one that runs. */
async function runUnderWay({ engine }: OwnDeps, threadId: string): Promise<Run | undefined> {
  const newest = async (status: "queued" | "running") => (await engine.runs({ threadId, status, limit: 1 })).items[0];
  // Read in the order of a run's life: a run that is claimed in between is found all the same.
  return (await newest("queued")) ?? newest("running");
}

/** RFC 7240 § 4.1. */
function prefersAsync({ headers }: ChatInput): boolean {
  return /\brespond-async\b/i.test(headers.prefer ?? "");
}

/** RFC 7240 § 4.3: how many seconds the client waits for the reply before it prefers to poll. */
function waitOf({ headers }: ChatInput): number | undefined {
  const [, seconds] = /\bwait=(\d{1,5})\b/i.exec(headers.prefer ?? "") ?? [];
  return seconds === undefined ? undefined : Number(seconds);
}

/** Clients of SSE that use `fetch` resume by sending the same request again, with `Last-Event-ID`. */
async function enqueueAndStream(asked: StreamInput, ctx: Context, deps: OwnDeps): Promise<typeof TAKEN> {
  const { body, headers } = asked;
  const lastEventId = headers["last-event-id"];
  assertNamesRun(lastEventId, body.run_id !== undefined || headers["idempotency-key"] !== undefined);
  const started = await enqueue(asked, ctx, deps);
  const after = await resumeAt(deps.engine, started, lastEventId);
  const before = body.subagents && (await delegatedUpTo(deps, started.run.run_id, after));
  return stream(ctx, deps, { ...started, after, ...(before && { before }) });
}

function stream(ctx: Context, deps: OwnDeps, { run, ...options }: Started & StreamFrom): typeof TAKEN {
  ctx.respond = false;
  ctx.set("Content-Location", `${deps.settings.basePath}/api/runs/${run.run_id}`);
  streamRun(deps, { response: ctx.res, run, after: 0, ...options });
  return TAKEN;
}

/** The 202 for a run that goes on in the background. @param preference the preference that this answer grants */
export function accepted({ settings }: OwnDeps, { run_id, thread_id }: Run, preference?: string) {
  const body = { task_id: run_id, run_id, thread_id, status: "pending" } as const;
  const location = `${settings.basePath}/api/chat/task/${run_id}`;
  return answer(202, body, { Location: location, ...(preference && { "Preference-Applied": preference }) });
}

/** @param waitS after this many seconds the client prefers to poll */
function reply(
  ctx: Context,
  deps: OwnDeps,
  { run, onAbandon, waitS }: Started & { readonly waitS?: number },
): Promise<typeof TAKEN> {
  ctx.respond = false;
  const options = { response: ctx.res, requestId: ctx.state.requestId, run, onAbandon, show: replyOf };
  const later = waitS !== undefined && {
    afterMs: 1_000 * waitS,
    answer: accepted(deps, run, `wait=${waitS}`),
  };
  return replyWhenOver(deps, { ...options, ...(later && { later }) });
}

/** @throws AppError why the run failed */
function replyOf(ended: Run): object {
  const failure = failureOf(ended);
  if (failure) throw failure;
  return showReply(ended);
}
