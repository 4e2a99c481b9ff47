/**
 * Answers with a problem when node:http cannot read a request, or stops waiting for one; node:http itself would send an
 * empty body. The rules for when an answer is possible are those of node:http. Listens to `clientError` of `server.ts`.
 */
import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { AppError, type ErrorCode } from "../core/errors.ts";
import { newId } from "../core/id.ts";
import { http } from "../core/node-http.ts";
import { ANSWER_HEADERS } from "./answer-headers.ts";
import { problemOf } from "./problem.ts";
import { toJson } from "../core/json.ts";

const REASONS: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  HPE_HEADER_OVERFLOW: [
    "HEADERS_TOO_LARGE",
    "Expected less than 64 KiB of headers. Cookies of other sites on this host are the usual cause: delete them.",
  ],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ["BODY_TOO_LARGE", "Expected chunks with less than 16 KiB of extensions."],
  ERR_HTTP_REQUEST_TIMEOUT: [
    "REQUEST_TIMEOUT",
    "Expected the headers within 10 s, and all of the request within 30 s.",
  ],
};

type HttpError = Error & { code?: string };

export function isTooSlow({ code }: HttpError): boolean {
  return code === "ERR_HTTP_REQUEST_TIMEOUT";
}

/** Whether all of the request that is being answered has been read. */
export function isWhole(socket: Duplex): boolean {
  return responseOn(socket)?.req.complete ?? false;
}

export function refuseBadHttp(error: HttpError, socket: Duplex): void {
  // An answer in the middle of a response would be taken for its body.
  if (socket.writable && !responseOn(socket)?.headersSent) socket.write(render(toProblem(error)));
  // The bytes that follow cannot be read either. The error reaches the code that waits for the rest of a body.
  socket.destroy(error);
}

/** The response that is under way. node:http keeps it there. */
function responseOn(socket: Duplex): ServerResponse | null | undefined {
  return (socket as Duplex & { _httpMessage?: ServerResponse | null })._httpMessage;
}

function toProblem(error: HttpError): AppError {
  const [code, detail] = REASONS[error.code ?? ""] ?? [
    "INVALID_REQUEST",
    `This cannot be read as HTTP/1.1 (${error.message}).`,
  ];
  return new AppError(code, detail, { cause: error });
}

function render(error: AppError): string {
  const requestId = newId("req");
  const body = toJson(problemOf(error, { requestId, basePath: "" }));
  return [
    `HTTP/1.1 ${error.status} ${http.STATUS_CODES[error.status]}`,
    "Content-Type: application/problem+json; charset=utf-8",
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-Id: ${requestId}`,
    ...Object.entries(ANSWER_HEADERS).map(([name, value]) => `${name}: ${value}`),
    "Connection: close",
    "",
    body,
  ].join("\r\n");
}
