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
}

interface Input {
  /** The answer ends so, without a result; "fails": before its stream has begun. */
  readonly cut?: "ends" | "breaks" | "fails";
  /** The result comes after the stream of another call was cut. */
  readonly waits?: boolean;
}

interface Asked {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly arguments?: Input };
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
async function start({ eol, messages, characters }: Talk) {
  const wasCut = Promise.withResolvers<void>();
  const note = { jsonrpc: "2.0", method: "notifications/message", params: { level: "info", data: "" } };
  note.params.data = "x".repeat(characters);
  const write = async (response: ServerResponse, message: object) => {
    response.write(`event: message${eol}data: ${JSON.stringify(message)}${eol}`);
    // The empty line comes in a chunk of its own.
    await nextTick();
    if (!response.write(eol)) await Promise.race([once(response, "drain"), once(response, "close")]);
  };
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const { id, method = "", params } = request.method === "POST" ? ((await json(request)) as Asked) : {};
    if (id === undefined) {
      response.writeHead(request.method === "POST" ? 202 : 405).end();
      return;
    }
    const isCall = method === "tools/call";
    const result = isCall ? DONE : OFFER[method as keyof typeof OFFER];
    const answer = { jsonrpc: "2.0", id, ...(result ? { result } : { error: { code: -32601, message: "unknown" } }) };
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const message of Array.from({ length: isCall ? messages : 0 }, () => note)) await write(response, message);
    const { cut, waits } = params?.arguments ?? {};
    if (waits) await wasCut.promise;
    if (cut) {
      if (cut !== "fails") response.write(`: soon${eol}${eol}`);
      // The lines that were written go out first.
      await nextTick();
      if (cut === "ends") response.end();
      else response.destroy();
      wasCut.resolve();
      return;
    }
    await write(response, answer);
    // A reader waits for what follows a last \r: it may be the \n of \r\n.
    response.end(`: bye${eol}`);
  };
  const server = createServer((request, response) => void serve(request, response)).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const log = pino({ enabled: false });
  const servers = new ManagedServers({
    servers: defineMcpServers({ it: { url, callTimeoutMs: 30_000 } }),
    env: {},
    log,
  });
  onTestFinished(() => servers.stop());
  const { signal } = new AbortController();
  const { tools } = await servers.offer(["it"], signal);
  const context = { signal, report: () => {} } as unknown as CallContext;
  return async (input: Input = {}) =>
    (await tools.get("it__talk")?.invoke({ ...input }, context)) ?? failure("there is no it__talk");
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

test.each(EOLS)("a message with %s at its lines that is too long ends its call at once", async (_, eol) => {
  const call = await start({ eol, messages: 1, characters: 5 * 1024 * 1024 });

  expect(await call()).toMatchObject({ isError: true, content: expect.stringContaining("4194304 bytes") });
});

test.each([
  ["ends", "broke off"],
  ["breaks", "broke off"],
  ["fails", "did not answer: fetch failed"],
] as const)("a call alone fails at once when its stream %s without an answer", async (cut, said) => {
  const call = await start({ eol: "\n", messages: 0, characters: 0 });
  const other = call({ waits: true });

  expect(await call({ cut })).toMatchObject({ isError: true, content: expect.stringContaining(said) });
  expect(await other).toEqual({ content: "done", isError: false });
});
