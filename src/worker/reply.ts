/** Waits for the end of a run and answers with its result: the reply of a chat, in every protocol. */
import type { ServerResponse } from "node:http";
import { AppError } from "../core/errors.ts";
import type { Run } from "../core/run.ts";
import type { OwnDeps } from "./context.ts";
import { waitForEnd } from "./follow-run.ts";
import { KeepAliveReply } from "./keep-alive-reply.ts";
import { errorBodyOf } from "./problem.ts";
import { reportFailure } from "./report-failure.ts";
import { TAKEN } from "./serve.ts";

export interface ReplyOptions {
  readonly response: ServerResponse;
  readonly requestId: string;
  readonly run: Run;
  /** Called when the client disconnects before the run's end. */
  readonly onAbandon?: () => void;
  /** Nobody can ask for the run again: when this worker ends before it, the run is canceled. Default: false. */
  readonly isPassing?: boolean;
  /** The body of a 200. Throws the error for any other answer. The signal is aborted when the client disconnects. */
  readonly show: (ended: Run, hungUp: AbortSignal) => object | Promise<object>;
  /** The answer when the run is not over after `afterMs`; undefined waits for its end. */
  readonly later?: Later;
}

export interface Later {
  readonly afterMs: number;
  readonly answer: {
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: object;
  };
}

/**
 * Never rejects: every failure becomes an answer. Handlers return the promise and do not await it, because a handler that
 * waits holds the body of its request.
 */
export async function replyWhenOver(deps: OwnDeps, options: ReplyOptions): Promise<typeof TAKEN> {
  await sendWhenOver(deps, options);
  return TAKEN;
}

async function sendWhenOver(deps: OwnDeps, options: ReplyOptions): Promise<void> {
  const { response, requestId, run, onAbandon, isPassing, show, later } = options;
  // The client has disconnected while its run was being stored: no close event will come to free what is made below.
  if (response.destroyed) return onAbandon?.();
  const hungUp = new AbortController();
  const waited = new AbortController();
  const timer = later && setTimeout(() => waited.abort(), later.afterMs);
  response.on("close", () => {
    clearTimeout(timer);
    hungUp.abort();
  });
  const keptAlive = new KeepAliveReply(response, { silent: later !== undefined });
  try {
    const ended = await waitForEnd(deps, run, AbortSignal.any([hungUp.signal, waited.signal]));
    if (hungUp.signal.aborted) return onAbandon?.();
    if (ended) keptAlive.send(200, "application/json", await show(ended, hungUp.signal));
    else if (later) sendLater(response, keptAlive, later);
  } catch (error) {
    const failure = reportFailure(deps.log, error, { request_id: requestId, run_id: run.run_id });
    const isLost = isPassing === true && failure.code === "SHUTTING_DOWN";
    const known = isLost ? await giveUp(deps, run, failure) : ofRun(run, failure);
    const { contentType, headers, body } = errorBodyOf(response.req, known, {
      requestId,
      basePath: deps.settings.basePath,
    });
    const retryAfter = known.retryAfterS !== undefined && { "Retry-After": String(known.retryAfterS) };
    if (!response.headersSent) response.setHeaders(new Headers({ ...headers, ...retryAfter }));
    keptAlive.send(known.status, contentType, body);
  }
}

/** Names the run: it is stored and goes on, so a client that sends it again pays it twice. */
function ofRun({ run_id: runId }: Run, failure: AppError): AppError {
  const { code, message, retryAfterS } = failure;
  if (failure.runId !== undefined) return failure;
  return new AppError(code, message, { runId, cause: failure, ...(retryAfterS !== undefined && { retryAfterS }) });
}

/** Does not name the run if it was canceled: then the request may be sent again. */
async function giveUp({ engine, log }: OwnDeps, run: Run, failure: AppError): Promise<AppError> {
  const { run_id: runId } = run;
  try {
    await engine.cancel(runId);
  } catch (error) {
    log.error({ err: error, run_id: runId }, "cancel failed");
    return failure;
  }
  const detail = `Run ${runId} was canceled, because the process that waited for it ends; send the request again.`;
  return new AppError("SHUTTING_DOWN", detail, { cause: failure, retryAfterS: 2 });
}

function sendLater(
  response: ServerResponse,
  keptAlive: KeepAliveReply,
  { answer: { status, headers, body } }: Later,
): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  keptAlive.send(status, "application/json", body);
}
