/**
 * Errors as `application/problem+json` (RFC 9457), for the fast lane, the guard and Koa; under `/v1/`, in the shape
 * that OpenAI's clients read.
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { Problem } from "../api/problem.ts";
import { titleOf, type AppError, type ErrorCode } from "../core/errors.ts";
import { newId } from "../core/id.ts";
import { openAiErrorOf } from "../protocols/openai-error.ts";
import { ANSWER_HEADERS } from "./answer-headers.ts";
import { pathsUnder } from "./base-path.ts";
import { answerAndHangUp, hasMoreToSend } from "./refused-body.ts";
import { toJson } from "../core/json.ts";

/** What an answer says beside its error. */
export interface Asked {
  readonly requestId: string;
  /** Stands before each path that the error's text names. */
  readonly basePath: string;
}

export function problemOf(error: AppError, { requestId, basePath }: Asked): Problem {
  const { code, status, message, runId } = error;
  return {
    type: `urn:evenkeel:error:${code.toLowerCase().replaceAll("_", "-")}`,
    title: titleOf(code),
    status,
    code,
    detail: pathsUnder(basePath, message),
    request_id: requestId,
    ...(runId !== undefined && { run_id: runId }),
  };
}

/** The body of an error's answer, and its own headers, which depend on the path. */
export function errorBodyOf({ url = "", headers }: IncomingMessage, error: AppError, asked: Asked): ErrorBody {
  if (!url.startsWith("/v1/"))
    return { contentType: "application/problem+json", headers: {}, body: problemOf(error, asked) };
  const isFinal = error.runId !== undefined && !mayRepeat(error, headers);
  const own: Record<string, string> = isFinal ? { "x-should-retry": "false" } : {};
  return { contentType: "application/json", headers: own, body: openAiErrorOf(problemOf(error, asked)) };
}

/**
 * The failures of a run after which it may be sent again. After all others OpenAI's clients are told not to: by
 * themselves they repeat each request that failed with 409, 429 or 5xx, and would begin, and pay, the run twice more.
 */
const WITHOUT_WORK: ReadonlySet<ErrorCode> = new Set(["QUEUE_TIMEOUT"]);

/** When only this worker ends, the run goes on: without a key, a repeat would begin another one beside it. */
function mayRepeat({ code }: AppError, headers: IncomingHttpHeaders): boolean {
  return WITHOUT_WORK.has(code) || (code === "SHUTTING_DOWN" && headers["idempotency-key"] !== undefined);
}

interface ErrorBody {
  readonly contentType: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: object;
}

export function sendProblem(response: ServerResponse, error: AppError, asked: Asked): void {
  const { contentType, headers: own, body: shown } = errorBodyOf(response.req, error, asked);
  const body = Buffer.from(toJson(shown));
  const headers = {
    ...ANSWER_HEADERS,
    ...own,
    "Content-Type": `${contentType}; charset=utf-8`,
    "Content-Length": body.length,
    "X-Request-Id": asked.requestId,
    ...(error.retryAfterS !== undefined && { "Retry-After": error.retryAfterS }),
    ...(error.code === "UNAUTHORIZED" && { "WWW-Authenticate": "Bearer" }),
    // `Connection` says both: the upgrade is required, and the connection closes, so that a server that drains need not
    // choose between the two headers.
    ...(error.code === "UPGRADE_REQUIRED" && { Upgrade: "websocket", Connection: "Upgrade, close" }),
  };
  if (hasMoreToSend(response.req)) return answerAndHangUp(response, { status: error.status, headers, body });
  response.writeHead(error.status, headers);
  response.end(body);
}

/** The client's own `X-Request-Id`, if it is well-formed, so that the client's logs and ours can be matched. */
export function requestIdOf(request: IncomingMessage): string {
  const given = request.headers["x-request-id"];
  return typeof given === "string" && /^[\w.:-]{1,128}$/.test(given) ? given : newId("req");
}
