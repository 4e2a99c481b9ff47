/** Outermost middleware: gives the request its id and remembers who asks. */
import type { Middleware } from "koa";
import type { IncomingMessage } from "node:http";
import type { RequestState } from "../context.ts";
import type { Principal } from "../guard.ts";
import { requestIdOf } from "../problem.ts";

export function identify(principalOf: (request: IncomingMessage) => Principal): Middleware<RequestState> {
  return (ctx, next) => {
    ctx.state.requestId = requestIdOf(ctx.req);
    ctx.state.principal = principalOf(ctx.req);
    ctx.set("X-Request-Id", ctx.state.requestId);
    return next();
  };
}
