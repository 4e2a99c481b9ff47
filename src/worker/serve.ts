/**
 * Serves a route of the contract: the request is checked against the route's own schemas before the handler gets it,
 * and the types allow only answers that the route names. Used by every file in `routes/`.
 */
import type { RouterContext } from "@koa/router";
import type { z } from "zod";
import { check } from "../api/check.ts";
import type { Answer, Foreign, ParamNames, Route } from "../api/route.ts";
import { AppError } from "../core/errors.ts";
import { may, type Access, type Principal } from "../core/principal.ts";
import type { AppRouter, OwnDeps, RequestState } from "./context.ts";
import { HOW_TO_AUTHORIZE } from "./credentials.ts";
import { readHeaders, readJson, readQuery } from "./input.ts";
import { assertShortBody } from "./refused-body.ts";
import { toJson } from "../core/json.ts";

export type Context = RouterContext<RequestState>;

/** The handler has written the response itself, or will do so: a stream, a file. */
export const TAKEN = "taken" as const;

/** @param body as the route's schema for this status describes it; undefined for an answer without a body */
export function answer<const Status extends number, Body>(
  status: Status,
  body: Body,
  headers: Readonly<Record<string, string>> = {},
) {
  return { status, body, headers };
}

/** A request, checked. */
export interface RouteInput<R extends Route> {
  readonly params: Readonly<Record<ParamNames<R["path"]>, string>>;
  readonly query: Output<R["query"]>;
  readonly headers: Output<R["headers"]>;
  readonly body: Output<R["body"]>;
  /** Set in place of `body` when the request is one of the route's `foreign` protocol. */
  readonly foreign: R["foreign"] extends Foreign<infer Body> ? z.output<Body> | undefined : undefined;
  /** The body as it came, before defaults: it tells a repeat from another request. */
  readonly given: object;
}

/** An answer that the route names. */
export type Answered<R extends Route> = {
  readonly [Status in keyof R["answers"]]: Reply<Status, R["answers"][Status]>;
}[keyof R["answers"]];

type Reply<Status, A> =
  A extends Answer<infer Body>
    ? {
        readonly status: Status;
        readonly headers: Readonly<Record<string, string>>;
        readonly body: A extends { json: unknown } ? z.input<Body> : undefined;
      }
    : never;

type Output<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined;

export type Handler<R extends Route> = (
  input: RouteInput<R>,
  ctx: Context,
  deps: OwnDeps,
) => Answered<R> | typeof TAKEN | Promise<Answered<R> | typeof TAKEN>;

export function serve<R extends Route>(router: AppRouter, route: R, handler: Handler<R>): void {
  router.register(koaPath(route.path), [route.method], async (ctx: Context) => {
    const { principal, own } = ctx.state;
    assertMay(principal, route);
    const answered = await handler(await read(route, ctx), ctx, own);
    if (answered === TAKEN) return;
    const { status, headers, body } = answered as ReturnType<typeof answer>;
    ctx.status = status;
    ctx.set(headers);
    if (body === undefined || body === null) return;
    if (!ctx.type) ctx.type = "json";
    ctx.body = toJson(body);
  });
}

/** @throws AppError UNAUTHORIZED, FORBIDDEN */
export function assertMay(principal: Principal, { access }: Pick<Route, "access">): void {
  if (may(principal, access)) return;
  if (principal.role === "none") throw new AppError("UNAUTHORIZED", HOW_TO_AUTHORIZE);
  throw new AppError("FORBIDDEN", `This request needs ${NEEDED[access]}; you have the role ${principal.role}.`);
}

const NEEDED: Readonly<Record<Access, string>> = {
  anyone: "nothing",
  viewer: "a key",
  operator: "a key with the role viewer or admin",
  client: "a key with the role client or admin",
  admin: "a key with the role admin",
};

/** `/api/runs/{run_id}` → `/api/runs/:run_id` */
export function koaPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ":$1");
}

/** @throws AppError INVALID_REQUEST, INVALID_JSON, UNSUPPORTED_MEDIA_TYPE, BODY_TOO_LARGE */
async function read<R extends Route>(route: R, ctx: Context): Promise<RouteInput<R>> {
  const query = route.query && readQuery(route.query, new URLSearchParams(ctx.querystring));
  const headers = route.headers && readHeaders(route.headers, ctx.headers);
  const { given, body, foreign } = await readAny(route, ctx);
  return { params: ctx.params, query, headers, given, body, foreign } as RouteInput<R>;
}

interface AnyBody {
  readonly given?: object;
  readonly body?: unknown;
  readonly foreign?: unknown;
}

async function readAny(route: Route, { req, res, state }: Context): Promise<AnyBody> {
  const { body: schema, foreign, takesStream } = route;
  if (takesStream) return {};
  if (!schema) {
    assertShortBody(req);
    return {};
  }
  const given = await readJson(schema, { request: req, readBytes: () => state.bodies.read(req, res) });
  if (foreign?.is(given)) return { given, foreign: check(foreign.body, given) };
  return { given, body: check(schema, given) };
}
