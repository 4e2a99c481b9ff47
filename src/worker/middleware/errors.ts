/** Turns whatever a route throws into a problem, and logs what nobody expected, there and behind the routes. */
import type { Middleware } from "koa";
import type { Log } from "../../observe/log.ts";
import type { RequestState } from "../context.ts";
import { sendProblem } from "../problem.ts";
import { reportFailure } from "../report-failure.ts";

export function answerErrors(log: Log): Middleware<RequestState> {
  return async (ctx, next) => {
    try {
      await next();
    } catch (error) {
      const { requestId } = ctx.state;
      const known = reportFailure(log, error, { request_id: requestId, method: ctx.method, url: ctx.url });
      ctx.respond = false;
      // Halfway through a response there is nothing left to say but to cut it, so that nobody takes it for whole.
      if (ctx.res.headersSent) ctx.res.destroy();
      else sendProblem(ctx.res, known, requestId);
    }
  };
}

/** How it shows that a client hung up in the midst of a request or response, or sent what is no request (HPE). */
const CLIENT_BROKE_OFF = /^(HPE_\w+|ECONNRESET|ECONNABORTED|EPIPE|ERR_HTTP_REQUEST_TIMEOUT)$/;

/** What happens after the response began, which Koa's own handler would print to stderr. */
export function logLateErrors(log: Log): (error: unknown) => void {
  return (error) => {
    const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
    if (CLIENT_BROKE_OFF.test(code)) log.debug({ code }, "client broke off");
    else log.warn({ err: error }, "response failed");
  };
}
