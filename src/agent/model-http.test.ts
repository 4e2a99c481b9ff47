/** How requests get to the model and what may come back, over real sockets and with the real SDK. */
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type Anthropic from "@anthropic-ai/sdk";
import { expect, test } from "vitest";
import { openFixture } from "../simulator/fixture.ts";
import { modelFailure } from "./model-error.ts";
import { openModelClient, type ModelClient } from "./model-client.ts";
import type { StreamedResponse } from "./model-http.ts";

const KEY = "sk-ant-a-long-secret-key";

const open = (baseUrl: string, fields: object = {}): ModelClient =>
  openModelClient({ simulated: false, apiKey: KEY, baseUrl, authorization: null, proxy: {}, ...fields });

const ask = (client: Anthropic, signal?: AbortSignal): Promise<Response> =>
  client.messages
    .create(
      { model: "m", max_tokens: 9, stream: true, messages: [{ role: "user", content: "/sim tokens=2" }] },
      { ...(signal && { signal }) },
    )
    .asResponse();

const failureOf = async (client: Anthropic) =>
  modelFailure(
    await ask(client).then(
      () => Promise.reject(new Error("expected the call to fail")),
      (error: unknown) => error,
    ),
  );

async function listen(listener: RequestListener): Promise<Server & { url: string } & AsyncDisposable> {
  const server = createServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const dispose = async () => {
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  };
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return Object.assign(server, { url, [Symbol.asyncDispose]: dispose });
}

async function textOf(response: Response): Promise<string> {
  let text = "";
  await (response as StreamedResponse).read((more) => void (text += more));
  return text;
}

test("an answer is read to its end, and its connection is used again", async () => {
  await using sim = await openFixture();
  using model = open(sim.simulator.url);
  const ports = new Set<number>();
  await using relay = await listen((request, response) => {
    ports.add(request.socket.remotePort ?? 0);
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end("data: [DONE]\n\n");
  });
  using other = open(relay.url);

  expect(await textOf(await ask(model.client))).toContain("message_stop");
  for (const _ of [1, 2, 3]) await textOf(await ask(other.client));

  expect(ports.size).toBe(1);
});

test("a character that is cut between two pieces arrives whole", async () => {
  await using server = await listen((_, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    const bytes = Buffer.from("data: 🧀\n\n");
    response.write(bytes.subarray(0, 8));
    response.write(bytes.subarray(8));
    response.end();
  });
  using model = open(server.url);

  expect(await textOf(await ask(model.client))).toBe("data: 🧀\n\n");
});

test("an abort closes the connection at once, before the headers and in the middle", async () => {
  await using sim = await openFixture();
  using model = open(sim.simulator.url);
  const abort = new AbortController();
  const request = model.client.messages.create(
    { model: "m", max_tokens: 9, stream: true, messages: [{ role: "user", content: "/sim tokens=5 stall" }] },
    { signal: abort.signal },
  );
  const reading = textOf(await request.asResponse());

  abort.abort();

  await expect(reading).rejects.toThrow("broke off");
  expect(await sim.lastClosed()).toMatchObject({ ended: "aborted" });
});

test("an idle connection that the server has closed costs no attempt", async () => {
  let requests = 0;
  await using server = await listen((_, response) => {
    requests += 1;
    response.writeHead(200, { "content-type": "text/event-stream", "keep-alive": "timeout=60" });
    response.end("data: x\n\n");
  });
  using model = open(server.url);
  await textOf(await ask(model.client));

  // Closed on the server's side only: the next request notices it when it writes.
  server.closeIdleConnections();
  await textOf(await ask(model.client));

  expect(requests).toBe(2);
});

test("a redirect is refused with both addresses", async () => {
  await using server = await listen((_, response) => {
    response.writeHead(307, { location: "https://elsewhere.example.org/v1/messages" });
    response.end();
  });
  using model = open(server.url);

  expect(await failureOf(model.client)).toMatchObject({
    code: "MODEL_REJECTED",
    retryable: false,
    reason: expect.stringMatching(
      /127\.0\.0\.1:\d+\/v1\/messages answered 307, a redirect to https:\/\/elsewhere\.example\.org\/v1\/messages; check ANTHROPIC_BASE_URL/,
    ),
  });
});

test("an error that is a web page is told in its words, with the address that was asked", async () => {
  await using server = await listen((_, response) => {
    response.writeHead(404, { "content-type": "text/html" });
    response.end("<html><head><title>Not found</title></head><body><h1>Nothing here</h1></body></html>");
  });
  using model = open(server.url);

  const { reason } = (await failureOf(model.client)) ?? {};

  expect(reason).toMatch(
    /^the model answered 404: a web page \(“Not found Nothing here”\) from http:\/\/127\.0\.0\.1:\d+\/v1\/messages; check .+ ANTHROPIC_BASE_URL$/,
  );
});

test("a key that the endpoint repeats reaches neither the failure nor its cause", async () => {
  await using server = await listen((request, response) => {
    const key = String(request.headers.authorization);
    response.writeHead(401, { "content-type": "application/json", "x-debug": key });
    response.end(JSON.stringify({ error: { type: "authentication_error", message: `bad key ${key}` } }));
  });
  using model = open(server.url);
  const error: unknown = await ask(model.client).catch((failure: unknown) => failure);

  expect(modelFailure(error)?.reason).toContain("bad key Bearer [secret]");
  expect(JSON.stringify([error, String(error), (error as Error).stack])).not.toContain(KEY);
  expect([...((error as { headers?: Headers }).headers ?? [])].join()).toContain("[secret]");
});

test("an error that never ends is read to a bound", async () => {
  await using server = await listen((_, response) => {
    response.writeHead(500);
    const write = (): void => {
      while (response.write("x".repeat(64 * 1024)));
      response.once("drain", write);
    };
    write();
  });
  using model = open(server.url);

  expect(await failureOf(model.client)).toMatchObject({ code: "MODEL_UNAVAILABLE" });
});

test("requests to the model go through HTTP_PROXY unless NO_PROXY names it; the simulated model's never do", async () => {
  await using sim = await openFixture();
  const seen: string[] = [];
  await using proxy = await listen((request, response) => {
    seen.push(request.url ?? "");
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end("data: through the proxy\n\n");
  });
  const settings = { HTTP_PROXY: proxy.url };
  using through = open("http://model.example.org", { proxy: settings });
  using around = open(sim.simulator.url, { proxy: { ...settings, NO_PROXY: "127.0.0.1" } });
  using simulated = open(sim.simulator.url, { proxy: settings, simulated: true });

  expect(await textOf(await ask(through.client))).toBe("data: through the proxy\n\n");
  expect(await textOf(await ask(around.client))).toContain("message_stop");
  expect(await textOf(await ask(simulated.client))).toContain("message_stop");

  expect(seen).toEqual(["http://model.example.org/v1/messages"]);
});

test("HTTPS_PROXY is asked for a tunnel", async () => {
  const asked = Promise.withResolvers<string>();
  await using proxy = await listen(() => {});
  proxy.on("connect", (request, socket) => {
    asked.resolve(`${request.method} ${request.url}`);
    socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
  });
  using model = open("https://model.example.org", { proxy: { HTTPS_PROXY: proxy.url } });

  expect(await failureOf(model.client)).toMatchObject({ code: "MODEL_UNAVAILABLE", retryable: true });
  expect(await asked.promise).toBe("CONNECT model.example.org:443");
});

test("nobody listening is worth another try", async () => {
  const server = await listen(() => {});
  const { url } = server;
  await server[Symbol.asyncDispose]();
  using model = open(url);

  expect(await failureOf(model.client)).toMatchObject({
    code: "MODEL_UNAVAILABLE",
    reason: expect.stringContaining("ECONNREFUSED"),
  });
});

test("idle sockets that the server closes are no reason to say nothing of the failure", async () => {
  let asked = 0;
  const both = Promise.withResolvers<void>();
  await using server = await listen((request, response) => {
    asked += 1;
    if (asked > 2) request.socket.resetAndDestroy();
    if (asked === 2) both.resolve();
    // Two answers at a time need two sockets, which then are idle.
    void both.promise.then(() => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.end("data: [DONE]\n\n");
    });
  });
  using model = open(server.url);
  await Promise.all([1, 2].map(async () => textOf(await ask(model.client))));

  expect(await failureOf(model.client)).toMatchObject({
    code: "MODEL_UNAVAILABLE",
    reason: expect.stringContaining("ECONNRESET"),
  });
  expect(asked).toBe(4);
});
