/** Outermost middleware: gives the request its id, stores its principal, and sets the headers of every answer. */
import type { Middleware } from "koa";
import type { IncomingMessage } from "node:http";
import type { Principal } from "../../core/principal.ts";
import { ANSWER_HEADERS } from "../answer-headers.ts";
import { Bodies } from "../body.ts";
import type { RequestState, WorkerDeps } from "../context.ts";
import { ownEngine } from "../own-engine.ts";
import { requestIdOf } from "../problem.ts";

export function identify(
  deps: WorkerDeps,
  principalOf: (request: IncomingMessage) => Principal,
): Middleware<RequestState> {
  return (ctx, next) => {
    ctx.state.requestId = requestIdOf(ctx.req);
    const principal = principalOf(ctx.req);
    ctx.state.principal = principal;
    ctx.state.own = { ...deps, engine: ownEngine(deps.engine, principal, deps.access.limits) };
    ctx.state.bodies = new Bodies(deps.bodyMemory, principal);
    ctx.set("X-Request-Id", ctx.state.requestId);
    ctx.set(ANSWER_HEADERS);
    return next();
  };
}
