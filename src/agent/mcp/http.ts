/**
 * The streamable HTTP transport of the client, with two things that the client itself lacks: a bound on the size of an
 * answer, and an end for a call whose answer breaks off. Loaded together with the client, so only when a server is started.
 */
import {
  INTERNAL_ERROR,
  StreamableHTTPClientTransport,
  type JSONRPCMessage,
  type RequestId,
} from "@modelcontextprotocol/client";
import type { McpServer } from "../../core/mcp-servers.ts";

/** The largest JSON answer, and the largest event of a stream. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

export type HttpServer = Extract<McpServer, { kind: "http" }>;

export function httpTransport({ url, headers }: HttpServer): StreamableHTTPClientTransport {
  return new HttpTransport(new URL(url), { requestInit: { headers }, fetch: boundedFetch });
}

type SendOptions = Parameters<StreamableHTTPClientTransport["send"]>[1];

class HttpTransport extends StreamableHTTPClientTransport {
  /** When the stream of an answer ends without it, its call alone fails, at once; it would wait until its time limit. */
  override send(message: JSONRPCMessage | JSONRPCMessage[], options: SendOptions = {}): Promise<void> {
    const asked = [message].flat().flatMap((each) => ("method" in each && "id" in each ? [each.id] : []));
    const { onRequestStreamEnd = () => asked.forEach((id) => this.onmessage?.(brokenOff(id))) } = options;
    return super.send(message, { ...options, onRequestStreamEnd });
  }
}

function brokenOff(id: RequestId): JSONRPCMessage {
  const message = `its answer broke off, or was longer than the ${MAX_MESSAGE_BYTES} bytes that are allowed; what the call did is unknown`;
  return { jsonrpc: "2.0", id, error: { code: INTERNAL_ERROR, message } };
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
