/**
 * `POST /v1/chat/completions`: the whole conversation comes with each request, so the run is ephemeral. It is canceled
 * when the client disconnects, because nobody could ask for it again. With `thread_id` the conversation is kept here.
 */
import { COMPLETE_CHAT, type CompletionRequest } from "../../api/openai.ts";
import { AppError } from "../../core/errors.ts";
import type { Run } from "../../core/run.ts";
import { chatCompletionOf, ChatCompletionStream } from "../../protocols/openai-chat-stream.ts";
import type { AppRouter, OwnDeps } from "../context.ts";
import { streamRun } from "../follow-run.ts";
import { replyWhenOver } from "../reply.ts";
import { serve, TAKEN } from "../serve.ts";
import { failureOf } from "../show-run.ts";
import { conversationOf } from "./conversation.ts";
import { agentOf, newRunOf, readJournal } from "./run.ts";

export function chatCompletionRoutes(router: AppRouter): void {
  serve(router, COMPLETE_CHAT, async ({ body }, ctx, deps) => {
    const run = await enqueue(body, ctx.state.principal.id, deps);
    const onAbandon = body.thread_id ? () => {} : () => cancel(run, deps);
    const { res: response, state } = ctx;
    ctx.respond = false;
    if (body.stream) {
      const includeUsage = body.stream_options?.include_usage ?? false;
      const encoder = new ChatCompletionStream({ model: run.agent_id, includeUsage });
      streamRun(deps, { response, run, after: 0, onAbandon, encoder });
    } else {
      const show = (ended: Run) => completionOf(ended, deps);
      await replyWhenOver(deps, { response, requestId: state.requestId, run, onAbandon, show });
    }
    return TAKEN;
  });
}

async function enqueue(body: CompletionRequest, principal: string, { engine, agents }: OwnDeps): Promise<Run> {
  const { agentId } = agentOf(body.model, agents);
  const threadId = body.thread_id ?? undefined;
  const conversation = conversationOf("messages", body.messages, null);
  const asked = { ...conversation, agentId, principal, threadId, ephemeral: threadId === undefined, metadata: {} };
  const { run } = await engine.enqueue(await newRunOf(asked, engine.files));
  return run;
}

function cancel({ run_id: runId }: Run, { engine, log }: OwnDeps): void {
  engine.cancel(runId).catch((error: unknown) => log.error({ err: error, run_id: runId }, "cancel failed"));
}

/** @throws AppError why the run failed */
async function completionOf(run: Run, { engine }: OwnDeps): Promise<object> {
  const { run_id: runId, status } = run;
  const failure = failureOf(run);
  if (failure) throw failure;
  if (status === "canceled") throw new AppError("RUN_CANCELED", `Run ${runId} was canceled.`, { runId });
  return chatCompletionOf(await readJournal(engine, runId), run.agent_id);
}
