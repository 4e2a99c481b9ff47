/** The Koa application: middleware, then routes. `createApp` opens nothing and listens on nothing. */
import type * as KoaRouter from "@koa/router";
import Koa, { type Middleware } from "koa";
import type { IncomingMessage } from "node:http";
import { createRequire } from "node:module";
import { AppError } from "../core/errors.ts";
import type { Principal } from "../core/principal.ts";
import type { AppRouter, RequestState, RouteDeps, WorkerDeps } from "./context.ts";
import { answerErrors, logLateErrors } from "./middleware/errors.ts";
import { identify } from "./middleware/identify.ts";
import { activityRoutes } from "./routes/activities.ts";
import { agUiRoutes } from "./routes/ag-ui.ts";
import { agentRoutes } from "./routes/agents.ts";
import { chatRoutes } from "./routes/chat.ts";
import { dashboardRoutes } from "./routes/dashboard.ts";
import { earlyPaths } from "./routes/early-paths.ts";
import { usageRoutes } from "./routes/usage.ts";
import { jobRoutes } from "./routes/jobs.ts";
import { mcpRoutes } from "./routes/mcp.ts";
import { fileRoutes } from "./routes/files.ts";
import { metricsRoutes } from "./routes/metrics.ts";
import { openApiRoutes } from "./routes/openapi.ts";
import { chatCompletionRoutes } from "./openai/chat-completions.ts";
import { modelRoutes } from "./openai/models.ts";
import { responseRoutes } from "./openai/responses.ts";
import { runRoutes } from "./routes/runs.ts";
import { sessionRoutes } from "./routes/session.ts";
import { systemRoutes } from "./routes/system.ts";
import { threadRoutes } from "./routes/threads.ts";

/** Loaded with `require`: its ES build imports "http", which loads undici. [82 ms of CPU at each worker's start.] */
const { Router } = createRequire(import.meta.url)("@koa/router") as typeof KoaRouter;

const GROUPS = [
  chatRoutes,
  jobRoutes,
  sessionRoutes,
  runRoutes,
  threadRoutes,
  activityRoutes,
  agentRoutes,
  usageRoutes,
  mcpRoutes,
  systemRoutes,
  metricsRoutes,
  dashboardRoutes,
  openApiRoutes,
  fileRoutes,
  agUiRoutes,
  modelRoutes,
  chatCompletionRoutes,
  responseRoutes,
  earlyPaths,
];

export function createApp(deps: WorkerDeps, principalOf: (request: IncomingMessage) => Principal): Koa<RequestState> {
  const app = new Koa<RequestState>();
  const router = createRouter(deps);
  app.use(identify(deps, principalOf));
  app.use(answerErrors(deps));
  app.use(refuseUnserved);
  app.use(router.routes());
  // `allowedMethods()` sets `Allow` and the status only after later middleware has run, so `refuseUnserved` is mounted
  // before it.
  app.use(router.allowedMethods());
  app.on("error", logLateErrors(deps.log));
  return app;
}

export function createRouter(deps: RouteDeps): AppRouter {
  const router: AppRouter = new Router<RequestState>();
  for (const addRoutes of GROUPS) addRoutes(router, deps);
  return router;
}

const refuseUnserved: Middleware<RequestState> = async (ctx, next) => {
  await next();
  if (ctx.respond === false || (ctx.body !== undefined && ctx.body !== null)) return;
  const allowed = ctx.response.get("Allow");
  if (allowed) throw new AppError("METHOD_NOT_ALLOWED", `${ctx.path} does not serve ${ctx.method}; use ${allowed}.`);
  // 501 means a method that none of our paths serves.
  if (ctx.status === 404 || ctx.status === 501)
    throw new AppError(
      "NOT_FOUND",
      `There is nothing at ${ctx.method} ${ctx.path}. GET /openapi.json lists all routes.`,
    );
};
