/**
 * Reads a request body up to the API's limit and parses it.
 * Called by messages.ts and routes.ts. A body over the limit is read to its end but not kept: a client that is
 * still sending when the socket closes sees a reset and not the 413.
 */
import type { IncomingMessage } from "node:http";
import { invalid, Refusal } from "./errors.ts";

const MAX_BODY_BYTES = 32 * 1024 * 1024;

/** @throws Refusal (413 or 400), or the stream's own error when the client left. */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const body = await readBody(request);
  if (!body) throw new Refusal("request_too_large", "Request exceeds the maximum size of 32 MB");
  try {
    return JSON.parse(body);
  } catch {
    throw invalid("The request body is not valid JSON");
  }
}

/**
 * Undefined for a body over the limit. It uses listeners and not `for await`, because the iterator would stay attached
 * to an open stream.
 */
function readBody(request: IncomingMessage): Promise<string | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
  const chunks: Buffer[] = [];
  let bytes = 0;
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) chunks.length = 0;
    else chunks.push(chunk);
  });
  request.once("error", reject);
  request.once("end", () => {
    request.removeAllListeners("data");
    resolve(bytes > MAX_BODY_BYTES ? undefined : Buffer.concat(chunks).toString());
  });
  return promise;
}
