/**
 * `POST /v1/chat/completions`: the whole conversation comes with each request, so the run is ephemeral. It is canceled
 * when the client disconnects, unless an `Idempotency-Key` lets the client ask for it again. With `thread_id` the
 * conversation is kept here.
 */
import { COMPLETE_CHAT, type OpenAiFormat } from "../../api/openai.ts";
import type { ResponseFormat } from "../../core/asked.ts";
import { AppError } from "../../core/errors.ts";
import type { Run } from "../../core/run.ts";
import { chatCompletionOf, ChatCompletionStream } from "../../protocols/openai-chat-stream.ts";
import { readAgain } from "../../stream/read-again.ts";
import { cancelLater } from "../cancel-later.ts";
import type { AppRouter, OwnDeps } from "../context.ts";
import { askedBy } from "../chat-request.ts";
import { streamRun } from "../follow-run.ts";
import { replyWhenOver } from "../reply.ts";
import { serve, TAKEN, type Context, type RouteInput } from "../serve.ts";
import { failureOf } from "../show-run.ts";
import { conversationOf } from "./conversation.ts";
import { agentOf, begin, readJournal, type AskedRun } from "./run.ts";

export function chatCompletionRoutes(router: AppRouter): void {
  serve(router, COMPLETE_CHAT, async (input, ctx, deps) => {
    const { body, headers } = input;
    const format = formatOf(body.response_format);
    const run = await begin(askedOf(input, ctx, deps), ctx, deps);
    const isPassing = !body.thread_id && headers["idempotency-key"] === undefined;
    const onAbandon = () => isPassing && cancelLater(run, deps);
    const { res: response, state } = ctx;
    ctx.respond = false;
    if (body.stream) {
      const includeUsage = body.stream_options?.include_usage ?? false;
      const encoder = new ChatCompletionStream({ model: run.agent_id, includeUsage, isJson: format !== undefined });
      streamRun(deps, { response, run, after: 0, onAbandon, isPassing, encoder });
      return TAKEN;
    }
    const show = (ended: Run, hungUp: AbortSignal) => {
      assertCompleted(ended);
      return readAgain(() => chatCompletionOf(readJournal(deps, ended.run_id), ended.agent_id), hungUp);
    };
    return replyWhenOver(deps, { response, requestId: state.requestId, run, onAbandon, isPassing, show });
  });
}

/** OpenAI's words for the format of a reply, in ours; undefined for text. */
function formatOf(format: OpenAiFormat | null | undefined): ResponseFormat | undefined {
  if (!format || format.type === "text") return undefined;
  return { type: "json_schema", schema: format.json_schema?.schema ?? { type: "object" } };
}

function askedOf(
  { body, headers, given }: RouteInput<typeof COMPLETE_CHAT>,
  ctx: Context,
  { agents }: OwnDeps,
): AskedRun {
  const agent = agentOf(body.model, agents);
  const threadId = body.thread_id ?? undefined;
  return {
    ...conversationOf("messages", body.messages, null),
    agentId: agent.agentId,
    principal: ctx.state.principal.id,
    threadId,
    ephemeral: threadId === undefined,
    metadata: {},
    special: askedBy({ response_format: formatOf(body.response_format) }, agent, "response_format.json_schema.schema"),
    idempotencyKey: headers["idempotency-key"],
    given,
  };
}

/** @throws AppError why the run failed */
function assertCompleted(run: Run): void {
  const { run_id: runId, status } = run;
  const failure = failureOf(run);
  if (failure) throw failure;
  if (status === "canceled") throw new AppError("RUN_CANCELED", `Run ${runId} was canceled.`, { runId });
}
