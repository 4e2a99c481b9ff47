/**
 * `/v1/responses`: a response is a run, and its id names that run. The conversation is kept in the run's thread, so
 * `previous_response_id` continues the thread, or begins one from there (`branch.ts`); `store: false` keeps nothing.
 */
import { CANCEL_RESPONSE, CREATE_RESPONSE, SHOW_RESPONSE } from "../../api/openai.ts";
import { AppError } from "../../core/errors.ts";
import type { Run } from "../../core/run.ts";
import { OpenAiResponse, responseId, runIdOf, type ResponseOptions } from "../../protocols/openai-response.ts";
import { ResponseStream } from "../../protocols/openai-response-stream.ts";
import { readAgain } from "../../stream/read-again.ts";
import type { CustomValues } from "../../core/event.ts";
import { cancelLater } from "../cancel-later.ts";
import type { AppRouter, OwnDeps } from "../context.ts";
import { streamRun } from "../follow-run.ts";
import { assertResumable } from "../position.ts";
import { replyWhenOver } from "../reply.ts";
import { answer, serve, TAKEN, type Context, type RouteInput } from "../serve.ts";
import { isNewest, saidUpTo } from "./branch.ts";
import { conversationOf, turnOf } from "./conversation.ts";
import { agentOf, begin, readJournal, readPieces, type AskedRun } from "./run.ts";

/** Facts about the request that a response repeats, kept in the run's metadata beside the client's own. */
const OURS = { previous: "evenkeel.previous_response_id", background: "evenkeel.background" } as const;

export function responseRoutes(router: AppRouter): void {
  serve(router, CREATE_RESPONSE, async (input, ctx, deps) => {
    const { body } = input;
    const asked = await askedOf(input, ctx, deps);
    const run = await begin(asked, ctx, deps);
    const isPassing = asked.ephemeral && !asked.isBackground && asked.idempotencyKey === undefined;
    const onAbandon = () => isPassing && cancelLater(run, deps);
    if (body.stream) return stream(ctx, deps, { run, startingAfter: -1, onAbandon });
    if (body.background) return answer(200, await show(run, deps));
    ctx.respond = false;
    const { res: response, state } = ctx;
    const showEnd = (ended: Run, hungUp: AbortSignal) => readAgain(() => show(ended, deps), hungUp);
    return replyWhenOver(deps, { response, requestId: state.requestId, run, onAbandon, isPassing, show: showEnd });
  });

  serve(router, SHOW_RESPONSE, async ({ params, query }, ctx, deps) => {
    const run = await findResponse(params.response_id, deps);
    if (query.stream) {
      const startingAfter = query.starting_after ?? -1;
      await assertSent(startingAfter, run, deps);
      return stream(ctx, deps, { run, startingAfter });
    }
    return answer(200, await show(run, deps));
  });

  serve(router, CANCEL_RESPONSE, async ({ params }, _ctx, deps) => {
    const { run_id: runId } = await findResponse(params.response_id, deps);
    const run = await deps.engine.cancel(runId);
    if (!run) throw notFound(params.response_id);
    return answer(200, await show(run, deps));
  });
}

async function askedOf(
  { body, headers, given }: RouteInput<typeof CREATE_RESPONSE>,
  ctx: Context,
  deps: OwnDeps,
): Promise<AskedRun> {
  const { previous_response_id: previousId, background, metadata, store } = body;
  const previous = previousId ? await findResponse(previousId, deps) : undefined;
  const { agentId } = agentOf(body.model, deps.agents);
  const ephemeral = store === false;
  const goesOn = previous !== undefined && !ephemeral && (await isNewest(previous, deps));
  return {
    ...(previous ? turnOf : conversationOf)("input", body.input, body.instructions),
    agentId,
    principal: ctx.state.principal.id,
    threadId: goesOn ? previous.thread_id : undefined,
    ephemeral,
    ...(previous && !goesOn && { earlier: await saidUpTo(previous, deps) }),
    isBackground: background === true,
    metadata: {
      ...metadata,
      ...(previousId && { [OURS.previous]: previousId }),
      ...(background && { [OURS.background]: true }),
    },
    idempotencyKey: headers["idempotency-key"],
    given,
  };
}

interface Streamed {
  readonly run: Run;
  readonly startingAfter: number;
  /** Called when the client disconnects before the run's end. */
  readonly onAbandon?: () => void;
}

function stream(ctx: Context, deps: OwnDeps, { run, startingAfter, ...more }: Streamed) {
  ctx.respond = false;
  const encoder = new ResponseStream({ ...optionsOf(run), startingAfter });
  streamRun(deps, { response: ctx.res, run, after: 0, encoder, ...more });
  return TAKEN;
}

/**
 * A stream after a number that no event has would be silent, and might end without a word.
 * @throws AppError INVALID_REQUEST
 */
async function assertSent(startingAfter: number, run: Run, deps: OwnDeps): Promise<void> {
  if (startingAfter < 0) return;
  const counting = new ResponseStream({ ...optionsOf(run), startingAfter: Infinity });
  for await (const piece of readPieces(deps, run.run_id)) {
    for (const { event, lengths } of piece) counting.encode(event, lengths);
    if (counting.count > startingAfter) return;
  }
  const newest = counting.count - 1;
  assertResumable({ name: "starting_after", after: startingAfter, newest, of: `response ${responseId(run.run_id)}` });
}

/** The response as far as the journal goes. */
async function show(run: Run, deps: OwnDeps) {
  const response = new OpenAiResponse(optionsOf(run));
  for await (const event of readJournal(deps, run.run_id)) {
    response.see(event);
    if (event.type === "CUSTOM" && event.name === "evenkeel.attempt")
      response.drop(event.value as CustomValues["evenkeel.attempt"]);
  }
  return response.show();
}

function optionsOf({ agent_id: model, metadata: all }: Run): ResponseOptions {
  const { [OURS.previous]: previous, [OURS.background]: background, ...metadata } = all;
  return {
    model,
    previousResponseId: typeof previous === "string" ? previous : null,
    background: background === true,
    metadata,
  };
}

async function findResponse(responseId: string, { engine }: OwnDeps): Promise<Run> {
  const runId = runIdOf(responseId);
  const run = runId === undefined ? undefined : await engine.run(runId);
  if (run) return run;
  throw notFound(responseId);
}

function notFound(responseId: string): AppError {
  return new AppError("RUN_NOT_FOUND", `There is no response ${JSON.stringify(responseId.slice(0, 140))}.`);
}
