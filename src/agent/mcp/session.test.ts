import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { defineMcpServers } from "../../core/mcp-servers.ts";
import { failure, type CallContext } from "../tools/invoke.ts";
import { LAST_CALLS_MS } from "./connection.ts";
import { ManagedServers } from "./servers.ts";

interface Answer {
  readonly status: number;
  /** `{id}` stands for the id of the request. */
  readonly body: string;
}

const NO_SESSION = '{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: No valid session"},"id":null}';
const FAILED = '{"jsonrpc":"2.0","error":{"code":-32000,"message":"The session of the bank failed"},"id":{id}}';

function answerOf(method: string): object {
  const initialized = {
    protocolVersion: "2025-06-18",
    capabilities: { tools: {} },
    serverInfo: { name: "a", version: "1" },
  };
  if (method === "initialize") return { result: initialized };
  if (method === "tools/list") return { result: { tools: [{ name: "pay", inputSchema: { type: "object" } }] } };
  if (method === "tools/call") return { result: { content: [{ type: "text", text: "paid" }] } };
  return { error: { code: -32601, message: "no such method" } };
}

interface StartOptions {
  readonly session: string | undefined;
  /** To the first calls, in order; undefined is none at all. */
  readonly first: readonly (Answer | undefined)[];
}

/** A server whose one tool is unsafe. It gives its first calls these answers, and "paid" to each later one. */
async function start({ session, first }: StartOptions) {
  let calls = 0;
  const called = first.map(() => Promise.withResolvers<void>());
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    if (request.method !== "POST") {
      response.writeHead(405).end();
      return;
    }
    const { id, method } = (await json(request)) as { readonly id?: number; readonly method: string };
    if (id === undefined) {
      response.writeHead(202).end();
      return;
    }
    const isEarly = method === "tools/call" && calls < first.length;
    const refusal = isEarly ? first[calls] : undefined;
    if (method === "tools/call") called[calls++]?.resolve();
    if (isEarly && !refusal) return;
    response.writeHead(refusal?.status ?? 200, {
      "content-type": "application/json",
      ...(session !== undefined && method === "initialize" && { "mcp-session-id": session }),
    });
    response.end(
      refusal?.body.replace("{id}", String(id)) ?? JSON.stringify({ jsonrpc: "2.0", id, ...answerOf(method) }),
    );
  };
  const server = createServer((request, response) => void serve(request, response)).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const servers = new ManagedServers({
    servers: defineMcpServers({ it: { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` } }),
    env: {},
    log: pino({ enabled: false }),
  });
  onTestFinished(() => servers.stop());
  const { signal } = new AbortController();
  const pay = async () => {
    const { tools } = await servers.offer(["it"], signal);
    const context = { signal, report: () => {} } as unknown as CallContext;
    return (await tools.get("it__pay")?.invoke({}, context)) ?? failure("there is no it__pay");
  };
  return { pay, calls: () => calls, firstCall: called[0]?.promise, stop: () => servers.stop() };
}

test.each([
  ["404", { status: 404, body: "no" }],
  ["400 about the session", { status: 400, body: NO_SESSION }],
])("a call that is answered %s in a session is sent again in a new session", async (_, first) => {
  const { pay, calls } = await start({ session: "one", first: [first] });

  expect(await pay()).toEqual({ content: "paid", isError: false });
  expect(calls()).toBe(2);
});

test.each([
  ["404 without a session", undefined, { status: 404, body: NO_SESSION }],
  ["400 without a session", undefined, { status: 400, body: NO_SESSION }],
  ["400 that does not name the session", "one", { status: 400, body: "the bank says no" }],
  ["400 with the id of the call", "one", { status: 400, body: FAILED }],
  ["404 with the id of the call", "one", { status: 404, body: FAILED }],
  ["500", "one", { status: 500, body: "no" }],
])("a call that is answered %s is not sent again, because the server may have done it", async (_, session, first) => {
  const { pay, calls } = await start({ session, first: [first] });

  expect(await pay()).toMatchObject({ isError: true, content: expect.stringContaining("outcome is unknown") });
  expect(calls()).toBe(1);
});

test("a stop does not wait for calls of a session that is gone", async () => {
  const { pay, firstCall, stop } = await start({ session: "one", first: [undefined, { status: 404, body: "no" }] });
  const unanswered = pay();
  await firstCall;
  const startedAt = performance.now();
  expect(await pay()).toEqual({ content: "paid", isError: false });

  await stop();

  expect(performance.now() - startedAt).toBeLessThan(LAST_CALLS_MS);
  expect(await unanswered).toMatchObject({ isError: true, content: expect.stringContaining("outcome is unknown") });
});
