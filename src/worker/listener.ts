/** The life of a request: guard, then the fast lane, then Koa. Called by node:http for every request. */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { AppError } from "../core/errors.ts";
import { ANONYMOUS, type Principal } from "../core/principal.ts";
import { createApp } from "./app.ts";
import { addSlash, stripBasePath } from "./base-path.ts";
import { Bounds } from "./bounds.ts";
import type { WorkerDeps } from "./context.ts";
import { FastLane } from "./fast-lane.ts";
import { requestIdOf, sendProblem } from "./problem.ts";
import { assertShortBody } from "./refused-body.ts";
import { reportFailure } from "./report-failure.ts";

export function createListener(deps: WorkerDeps): RequestListener {
  const { guard, access, log } = deps;
  const { basePath } = deps.settings;
  const fastLane = new FastLane(deps.engine);
  const bounds = new Bounds(access.limits.requests, "requests");
  const principals = new WeakMap<IncomingMessage, Principal>();
  const app = createApp(deps, (request) => principals.get(request) ?? ANONYMOUS).callback();

  const fail = (request: IncomingMessage, response: ServerResponse, error: unknown) => {
    const requestId = requestIdOf(request);
    const known = reportFailure(log, error, { request_id: requestId, method: request.method, url: request.url });
    const send = () => sendProblem(response, known, { requestId, basePath });
    guard.refuse(request, known, { connection: response, send });
  };

  const serve = (request: IncomingMessage, response: ServerResponse, principal: Principal) => {
    // The client has gone while its token was checked: nothing would tell that the request has ended.
    if (response.destroyed) return;
    try {
      guard.counts.add(principal);
      bounds.enter(principal, response);
      const answer = fastLane.answer(request, response, principal);
      if (answer === true) return;
      if (answer !== false) {
        answer.catch((error: unknown) => fail(request, response, error));
        return;
      }
      principals.set(request, principal);
      void app(request, response);
    } catch (error) {
      fail(request, response, error);
    }
  };

  return (request, response) => {
    try {
      assertHost(request);
      if (addSlash(request, response, basePath)) return;
      stripBasePath(request, basePath);
      guard.origins.expose(request, response);
      if (request.method !== "POST") assertShortBody(request);
      if (request.method === "OPTIONS") return guard.origins.answerOptions(request, response);
      const principal = guard.admit(request);
      if (!request.url?.startsWith("/")) throw new AppError("INVALID_REQUEST", "Expected a path that starts with /.");
      if (!(principal instanceof Promise)) return serve(request, response, principal);
      principal.then(
        (known) => serve(request, response, known),
        (error: unknown) => fail(request, response, error),
      );
    } catch (error) {
      fail(request, response, error);
    }
  };
}

/** RFC 9112 § 3.2. Older clients send no Host. With two Host headers, a proxy before us may have used the other one. */
export function assertHost({ headers, rawHeaders, httpVersion }: IncomingMessage): void {
  let hosts = 0;
  // Compare lengths first, because this runs for every header of every request.
  for (let at = 0; at < rawHeaders.length; at += 2)
    if (rawHeaders[at]?.length === 4 && rawHeaders[at]?.toLowerCase() === "host") hosts += 1;
  if (hosts > 1) throw new AppError("INVALID_REQUEST", `Expected one Host header, got ${hosts}.`);
  if (headers.host === undefined && httpVersion === "1.1")
    throw new AppError("INVALID_REQUEST", "Expected a Host header, as HTTP/1.1 asks for one.");
}
