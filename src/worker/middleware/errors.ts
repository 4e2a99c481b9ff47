/** Turns every error of a route into a problem, and logs unexpected errors, also those after a response has begun. */
import type { Middleware } from "koa";
import type { Log } from "../../observe/log.ts";
import type { RequestState, WorkerDeps } from "../context.ts";
import { sendProblem } from "../problem.ts";
import { reportFailure } from "../report-failure.ts";

export function answerErrors({
  log,
  settings: { basePath },
}: Pick<WorkerDeps, "log" | "settings">): Middleware<RequestState> {
  return async (ctx, next) => {
    try {
      await next();
    } catch (error) {
      const { requestId } = ctx.state;
      const known = reportFailure(log, error, { request_id: requestId, method: ctx.method, url: ctx.url });
      ctx.respond = false;
      // In the middle of a response no error can be sent any more: cut the response, so that no client takes it for
      // whole.
      if (ctx.res.headersSent) ctx.res.destroy();
      else sendProblem(ctx.res, known, { requestId, basePath });
    }
  };
}

/**
 * Codes of errors when a client disconnects in the middle of a request or response, or sends what is no request (HPE).
 */
const CLIENT_BROKE_OFF = /^(HPE_\w+|ECONNRESET|ECONNABORTED|EPIPE|ERR_HTTP_REQUEST_TIMEOUT)$/;

/** Logs errors after the response has begun; Koa's own handler would print them to stderr. */
export function logLateErrors(log: Log): (error: unknown) => void {
  return (error) => {
    const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
    if (CLIENT_BROKE_OFF.test(code)) log.debug({ code }, "client broke off");
    else log.warn({ err: error }, "response failed");
  };
}
