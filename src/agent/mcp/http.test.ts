/** The bound on what an MCP server sends over HTTP: it holds for each message of a stream, and not for the stream. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { setImmediate as nextTick } from "node:timers/promises";
import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { defineMcpServers } from "../../core/mcp-servers.ts";
import { failure, type CallContext } from "../tools/invoke.ts";
import { ManagedServers } from "./servers.ts";

interface Talk {
  /** The end of a line. */
  readonly eol: string;
  /** Messages before the result. */
  readonly messages: number;
  readonly characters: number;
  readonly callTimeoutMs?: number;
}

interface Asked {
  readonly id?: number;
  readonly method?: string;
}

const OFFER = {
  initialize: {
    protocolVersion: "2025-06-18",
    capabilities: { tools: {}, logging: {} },
    serverInfo: { name: "a", version: "1" },
  },
  "tools/list": { tools: [{ name: "talk", inputSchema: { type: "object" } }] },
};
const DONE = { content: [{ type: "text", text: "done" }] };

/** A server with one tool, whose answer is a stream. @returns a call of that tool */
async function start({ eol, messages, characters, callTimeoutMs = 30_000 }: Talk) {
  const note = { jsonrpc: "2.0", method: "notifications/message", params: { level: "info", data: "" } };
  note.params.data = "x".repeat(characters);
  const write = async (response: ServerResponse, message: object) => {
    response.write(`event: message${eol}data: ${JSON.stringify(message)}${eol}`);
    // The empty line comes in a chunk of its own.
    await nextTick();
    if (!response.write(eol)) await Promise.race([once(response, "drain"), once(response, "close")]);
  };
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const { id, method = "" } = request.method === "POST" ? ((await json(request)) as Asked) : {};
    if (id === undefined) {
      response.writeHead(request.method === "POST" ? 202 : 405).end();
      return;
    }
    const isCall = method === "tools/call";
    const result = isCall ? DONE : OFFER[method as keyof typeof OFFER];
    const answer = { jsonrpc: "2.0", id, ...(result ? { result } : { error: { code: -32601, message: "unknown" } }) };
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const message of Array.from({ length: isCall ? messages : 0 }, () => note)) await write(response, message);
    await write(response, answer);
    // A reader waits for what follows a last \r: it may be the \n of \r\n.
    response.end(`: bye${eol}`);
  };
  const server = createServer((request, response) => void serve(request, response)).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const log = pino({ enabled: false });
  const servers = new ManagedServers({ servers: defineMcpServers({ it: { url, callTimeoutMs } }), env: {}, log });
  onTestFinished(() => servers.stop());
  const { signal } = new AbortController();
  const { tools } = await servers.offer(["it"], signal);
  const context = { signal, report: () => {} } as unknown as CallContext;
  return async () => (await tools.get("it__talk")?.invoke({}, context)) ?? failure("there is no it__talk");
}

const EOLS = [
  ["\\n", "\n"],
  ["\\r\\n", "\r\n"],
  ["\\r", "\r"],
] as const;

test.each(EOLS)("a stream of many messages with %s at its lines may be longer than one message", async (_, eol) => {
  const call = await start({ eol, messages: 80, characters: 64 * 1024 });

  expect(await call()).toEqual({ content: "done", isError: false });
});

test.each(EOLS)("what follows a message with %s at its lines that is too long is not read", async (_, eol) => {
  const call = await start({ eol, messages: 1, characters: 5 * 1024 * 1024, callTimeoutMs: 1_000 });

  expect(await call()).toMatchObject({ isError: true, content: expect.stringContaining("no answer") });
});
