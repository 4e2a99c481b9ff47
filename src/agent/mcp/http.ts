/**
 * The streamable HTTP transport of the client, with a bound on the size of an answer: the client itself reads a body to
 * its end, however long it is. Loaded together with the client, so only when a server is started.
 */
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type { McpServer } from "../../core/mcp-servers.ts";

/** The largest JSON answer, and the largest event of a stream. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

export type HttpServer = Extract<McpServer, { kind: "http" }>;

export function httpTransport({ url, headers }: HttpServer): StreamableHTTPClientTransport {
  return new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers }, fetch: boundedFetch });
}

async function boundedFetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const response = await fetch(input, init);
  if (!response.body) return response;
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") ?? false;
  const body = response.body.pipeThrough(bounded(isStream));
  return new Response(body, { status: response.status, statusText: response.statusText, headers: response.headers });
}

/** The ends of two lines in a row, which end a message of an event stream. A line ends with \n, \r\n or \r. */
const ENDS = ["\n\n", "\n\r", "\r\r"];

/** Fails when a message is too long. */
function bounded(isStream: boolean): TransformStream<Uint8Array, Uint8Array> {
  let bytes = 0;
  // The end of a message may lie between two chunks.
  let lastByte = new Uint8Array();
  return new TransformStream({
    transform(chunk, controller) {
      const seen = Buffer.concat([lastByte, chunk]);
      lastByte = seen.subarray(-1);
      const end = isStream ? Math.max(...ENDS.map((ends) => seen.lastIndexOf(ends))) : -1;
      bytes = end >= 0 ? seen.length - end : bytes + chunk.length;
      if (bytes <= MAX_MESSAGE_BYTES) controller.enqueue(chunk);
      else controller.error(new Error(`an answer is longer than the ${MAX_MESSAGE_BYTES} bytes that are allowed`));
    },
  });
}
