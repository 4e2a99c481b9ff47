/**
 * The way to a server, through whatever proxies stand on it: is it there, does it take the key, do streams come as they
 * are sent and uncompressed, and does a WebSocket get through.
 */
import { WebSocket } from "ws";
import { newId } from "../core/id.ts";
import type { Look } from "./look.ts";
import { connect, impatientFetch, networkReason } from "./connection.ts";

/**
 * Asks for 20 tokens over one second. A proxy that buffers would deliver all of them at once.
 */
const SLOW_MESSAGE = "/sim tokens=20 rate=20";
const SPREAD_MS = 300;
const SOCKET_MS = 5_000;
/** A way that keeps everything back would never end. Neither would a run in a full queue. */
const STREAM_MS = 15_000;

/** @param streamMs how long the stream may take */
export function lookAtWay(
  server: string,
  key: string | undefined,
  streamMs = STREAM_MS,
): Readonly<Record<string, Look>> {
  return {
    health: () => health(server),
    key: () => agents(server, key),
    stream: () => spread(server, key, streamMs),
    websocket: () => socket(server, headersOf(key)),
  };
}

async function health(server: string): Promise<string> {
  const startedAt = performance.now();
  const response = await impatientFetch(`${server}/health`).catch((error: Error) => {
    throw new Error(`${server} cannot be reached: ${networkReason(error) ?? error.message}.`);
  });
  if (!response.ok) throw new Error(`/health answers ${response.status}; is this evenkeel's address?`);
  return `/health answers in ${Math.round(performance.now() - startedAt)} ms`;
}

async function agents(server: string, key: string | undefined): Promise<string> {
  const { agents: known } = await connect({ server, ...(key !== undefined && { key }) }).agents();
  return `${known.length} agents: ${known.map(({ agent_id: id }) => id).join(", ")}`;
}

async function spread(server: string, key: string | undefined, streamMs: number): Promise<string> {
  const headers = headersOf(key);
  const { agents: known } = await connect({ server, ...(key !== undefined && { key }) }).agents();
  const body = JSON.stringify({ agent_id: known[0]?.agent_id, message: SLOW_MESSAGE, run_id: newId("run") });
  const signal = AbortSignal.timeout(streamMs);
  const init = { method: "POST", headers: { ...headers, "Content-Type": "application/json" }, body, signal };
  const response = await impatientFetch(`${server}/api/chat/stream`, init);
  const encoding = response.headers.get("content-encoding");
  if (encoding !== null) throw new Error(`Streams are compressed (${encoding}), which holds events back: turn it off.`);
  const cameAt: number[] = [];
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const bytes of response.body ?? []) {
      cameAt.push(performance.now());
      text += decoder.decode(bytes, { stream: true });
    }
  } catch (error) {
    // The events until then show enough of the way.
    if (!signal.aborted) throw error;
  }
  const failure = failureIn(text);
  if (failure !== undefined) throw new Error(`A run failed: ${failure}`);
  const spreadMs = (cameAt.at(-1) ?? 0) - (cameAt[0] ?? 0);
  if (spreadMs < SPREAD_MS && signal.aborted)
    throw new Error(
      `A stream was silent for ${streamMs / 1_000} s: a proxy buffers its events (see docs/deployment.md), or the run waits in a full queue.`,
    );
  if (spreadMs < SPREAD_MS)
    throw new Error("The events of a stream came all at once: a proxy buffers them. See docs/deployment.md.");
  return `events came over ${Math.round(spreadMs)} ms, as they were sent`;
}

/** Why the run failed, which then says nothing about the way. */
function failureIn(stream: string): string | undefined {
  const line = /^data: (\{.*"type":"RUN_ERROR".*\})$/m.exec(stream)?.[1];
  return line === undefined ? undefined : (JSON.parse(line) as { message: string }).message;
}

async function socket(server: string, headers: Record<string, string>): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const ws = new WebSocket(`${server.replace(/^http/, "ws")}/ws`, { headers, handshakeTimeout: SOCKET_MS });
  ws.on("open", () => resolve("/ws opens"));
  ws.on("error", (error) =>
    reject(new Error(`/ws cannot be opened (${error.message}): pass Upgrade and Connection on.`)),
  );
  return promise.finally(() => ws.terminate());
}

function headersOf(key: string | undefined): Record<string, string> {
  return key === undefined ? {} : { Authorization: `Bearer ${key}` };
}
