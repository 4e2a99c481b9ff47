/** Outermost middleware: gives the request its id, remembers who asks, and sets what every answer says. */
import type { Middleware } from "koa";
import type { IncomingMessage } from "node:http";
import { ANSWER_HEADERS } from "../answer-headers.ts";
import { Bodies } from "../body.ts";
import type { RequestState } from "../context.ts";
import type { Principal } from "../guard.ts";
import { requestIdOf } from "../problem.ts";

export function identify(principalOf: (request: IncomingMessage) => Principal): Middleware<RequestState> {
  const bodies = new Bodies();
  return (ctx, next) => {
    ctx.state.requestId = requestIdOf(ctx.req);
    ctx.state.principal = principalOf(ctx.req);
    ctx.state.bodies = bodies;
    ctx.set("X-Request-Id", ctx.state.requestId);
    ctx.set(ANSWER_HEADERS);
    return next();
  };
}
