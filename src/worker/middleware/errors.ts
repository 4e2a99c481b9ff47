/** Turns whatever a route throws into a problem, and logs what nobody expected. */
import type { Middleware } from "koa";
import { toAppError } from "../../core/errors.ts";
import type { Log } from "../../observe/log.ts";
import type { RequestState } from "../context.ts";
import { sendProblem } from "../problem.ts";

export function answerErrors(log: Log): Middleware<RequestState> {
  return async (ctx, next) => {
    try {
      await next();
    } catch (error) {
      const known = toAppError(error);
      const about = { code: known.code, request_id: ctx.state.requestId, method: ctx.method, url: ctx.url };
      if (known.code === "INTERNAL") log.error({ ...about, err: error }, "request failed");
      else log.debug(about, known.message);
      ctx.respond = false;
      // Halfway through a response there is nothing left to say but to cut it, so that nobody takes it for whole.
      if (ctx.res.headersSent) ctx.res.destroy();
      else sendProblem(ctx.res, known, ctx.state.requestId);
    }
  };
}
