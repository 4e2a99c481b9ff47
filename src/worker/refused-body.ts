/**
 * Handles the body of a request that was refused before, or while, the body came. node:http would read it to its end,
 * however long it is, only to keep the connection. Instead, a short body is read and dropped. Of a longer body nothing
 * more is read, and its connection ends once the client had time to take the answer. To end it at once would reset the
 * connection, and a client that is still sending would see the reset in place of the answer.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { AppError } from "../core/errors.ts";

/** A body of at most this size is read and dropped, because keeping the connection is worth more. */
const DROPPED_BYTES = 64 * 1024;
/** How long a client that is still sending may take to notice the answer. */
const NOTICE_MS = 2_000;

/** For requests that need no body. @throws AppError BODY_TOO_LARGE when the body is longer than a short one */
export function assertShortBody(request: IncomingMessage): void {
  if (!hasMoreToSend(request)) return;
  throw new AppError("BODY_TOO_LARGE", `${request.method} ${request.url} takes no body; send it without one.`);
}

/** True when the client has, or may have, much more to send. */
export function hasMoreToSend(request: IncomingMessage): boolean {
  if (request.complete) return false;
  const { "content-length": length, "transfer-encoding": encoding, expect } = request.headers;
  // The client did not get `100 Continue`, so the next bytes on this connection may be the body or another request.
  if (expect !== undefined) return true;
  return encoding !== undefined || Number(length ?? 0) > DROPPED_BYTES;
}

/**
 * Sends the whole answer, and reads nothing more.
 * @param head status and headers, with the Content-Length of `body`
 */
export function answerAndHangUp(
  response: ServerResponse,
  { status, headers, body }: { status: number; headers: Readonly<Record<string, string | number>>; body: Buffer },
): void {
  const { req: request } = response;
  // Drops what node:http has read and still parses. Otherwise each chunk would be kept, and the next one read.
  request.push = () => true;
  request.socket.pause();
  response.writeHead(status, { ...headers, Connection: "close" });
  // Not `end`, with which node:http would close the connection.
  response.write(body);
  const timer = setTimeout(() => request.socket.destroy(), NOTICE_MS);
  response.on("close", () => clearTimeout(timer));
}
