import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { text as textOf } from "node:stream/consumers";
import { expect, test } from "vitest";
import { z } from "zod";
import { defineTool, type ToolParts } from "../agent/tools/tool.ts";
import { defineAgents } from "../core/agent.ts";
import { startCluster } from "../testing/cluster.ts";
import { inlineTools } from "../testing/inline-tools.ts";
import { PIXEL } from "../testing/pictures.ts";
import { SocketClient } from "../testing/socket.ts";
import { HttpServer } from "./server.ts";

const BASED = { settings: { basePath: "/keel" }, runner: false };

test.each(["/keel", ""])(
  "with BASE_PATH requests under %j are served, as a proxy passes the path on or takes it away",
  async (path) => {
    await using cluster = await startCluster(BASED);

    const { status, headers, body } = await cluster.client.post(`${path}/api/chat/async`, {
      agent_id: "assistant",
      message: "hi",
    });

    expect(status).toBe(202);
    // A client asks the proxy, whether the proxy passes the base path on or removes it.
    expect(headers.get("location")).toBe(`/keel/api/chat/task/${body.task_id}`);
    expect((await cluster.client.get(`${path}/health`)).status).toBe(200);
    expect((await cluster.client.get(`${path}/api/activities?limit=1`)).status).toBe(200);
    await using socket = await SocketClient.connect(`${cluster.client.url}${path}`);
    expect(await socket.ask({ op: "subscribe", channel: "activities" })).toMatchObject({ ok: true });
  },
);

test("every Location is under BASE_PATH", async () => {
  await using cluster = await startCluster({ settings: BASED.settings });
  const form = { method: "POST", body: "text", headers: { "Content-Type": "text/plain" } };

  const file = await cluster.client.ask("/api/files", form);
  const { body: failed } = await cluster.client.post("/api/chat/async", {
    agent_id: "assistant",
    message: "/sim status=401",
  });
  await expect.poll(async () => (await cluster.client.get(`/api/runs/${failed.run_id}`)).body.status).toBe("failed");
  const retry = await cluster.client.post(`/api/runs/${failed.run_id}/retry`);

  expect(file.headers.get("location")).toBe(`/keel/api/files/${String(file.body["file_id"])}`);
  expect(retry.headers.get("location")).toBe(`/keel/api/runs/${retry.body.run_id}`);
});

test("the base path without a / leads to the page, and a path that only begins like it is none", async () => {
  await using cluster = await startCluster(BASED);

  const bare = await cluster.client.fetch("/keel", { redirect: "manual" });

  expect([bare.status, bare.headers.get("location")]).toEqual([308, "/keel/"]);
  expect((await cluster.client.get("/keelhaul/api/runs")).status).toBe(404);
  expect((await cluster.client.get("/keel/api/nothing")).status).toBe(404);
});

test("a server on :: is reached by both families, and says how long it keeps a connection", async () => {
  const server = new HttpServer(
    (_request, response) => response.end("ok"),
    () => {},
    { keepAliveTimeout: 75_000 },
  );
  const port = await server.listen("::", 0);

  for (const host of ["127.0.0.1", "::1"]) {
    const asked = request({ host, port, headers: { Connection: "keep-alive" } }).end();
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    response.resume();
    expect([host, response.statusCode, response.headers["keep-alive"]]).toEqual([host, 200, "timeout=75"]);
  }

  await server.drain(0);
});

const look = defineTool({
  description: "Looks.",
  input: z.object({}),
  effects: "pure",
  run: (): ToolParts => ({ content: [{ type: "image", data: Buffer.from(PIXEL, "base64") }] }),
});

/** Paths of this server in a text: those under the base path, and those that are not. */
function ownPaths(text: string): { readonly based: string[]; readonly bare: string[] } {
  const paths = [...text.matchAll(/["'= (](\/(?:keel\/)?(?:api|v1|docs|openapi|ws|health|metrics|info)\b[^"' )]*)/g)];
  const [based = [], bare = []] = [true, false].map((is) =>
    paths.map(([, path = ""]) => path).filter((path) => path.startsWith("/keel/") === is),
  );
  return { based, bare };
}

test("each path of this server in events, messages and pages is under BASE_PATH", async () => {
  const agents = defineAgents({ assistant: { model: "m", tools: ["look"] } });
  const tools = inlineTools({ look });
  await using cluster = await startCluster({ settings: BASED.settings, agents, tools });
  const { client } = cluster;
  const post = async (path: string, body: unknown) => (await client.post(path, body)).body["text"] as string;
  const message = "/sim tool=look input={}";
  await client.chat(message, { run_id: "mine", thread_id: "t" });
  const events = { headers: { Accept: "text/event-stream" } };
  const agUi = { threadId: "a", runId: "agui", messages: [{ id: "1", role: "user", content: message }] };
  const ui = {
    id: "u",
    trigger: "submit-message",
    messages: [{ id: "1", role: "user", parts: [{ type: "text", text: message }] }],
  };
  await using socket = await SocketClient.connect(client.url);

  const withPicture = {
    page: await (await client.fetch("/api/runs/mine/events")).text(),
    stream: await (await client.fetch("/api/runs/mine/events", events)).text(),
    socket: JSON.stringify(await socket.readRun("mine")),
    agUi: await post("/api/agui/assistant", agUi),
    aiSdk: await post("/api/chat", ui),
  };
  for (const [name, text] of Object.entries(withPicture)) {
    const { based, bare } = ownPaths(text);
    expect([name, new Set(based.map((path) => path.replace(/file_\w+/, "X"))), bare]).toEqual([
      name,
      new Set(["/keel/api/files/X"]),
      [],
    ]);
    // A client reads the picture where the event says it is.
    const picture = await client.fetch(based[0] ?? "");
    expect(picture.headers.get("content-type")).toBe("image/png");
  }
  for (const path of [
    "/api/threads/t",
    "/api/runs/mine",
    "/api/files",
    "/api/chat/task/mine",
    "/api/activities",
    "/v1/models",
  ])
    expect([path, ownPaths(await (await client.fetch(path)).text()).bare]).toEqual([path, []]);
});

test("each path of this server in an error is under BASE_PATH", async () => {
  await using cluster = await startCluster(BASED);
  const { client } = cluster;
  await using socket = await SocketClient.connect(client.url);
  const answers = await Promise.all([
    client.get("/api/runs/nobody"),
    client.get("/api/threads/nobody"),
    client.get("/api/nothing"),
    client.ask("/api/runs", { method: "PUT" }),
    client.ask("/ws", { method: "GET" }),
    client.post("/api/chat", { agent_id: 1, message: "hi" }),
    client.post("/v1/chat/completions", { model: 1, messages: [{ role: "user", content: "hi" }] }),
  ]);
  const upgrade = { headers: { Connection: "Upgrade", Upgrade: "websocket" } };
  const [refused] = (await once(request(`${client.url}/elsewhere`, upgrade).end(), "response")) as [IncomingMessage];
  const texts = [
    ...answers.map(({ body }) => JSON.stringify(body)),
    await textOf(refused),
    JSON.stringify(await socket.ask({ op: "subscribe", channel: "run", run_id: "no id!" })),
    JSON.stringify(await socket.ask({ op: "cancel", run_id: "nobody" })),
  ];

  for (const text of texts) {
    const { based, bare } = ownPaths(text);
    expect([text, bare, based.length > 0]).toEqual([text, [], true]);
  }
});

test("the index, the contract and its page lead to paths under BASE_PATH", async () => {
  await using cluster = await startCluster(BASED);
  const json = { headers: { Accept: "application/json" } };

  const { body: index } = await cluster.client.ask("/keel/", json);
  const { body: contract } = await cluster.client.get("/keel/openapi.json");
  const docs = await (await cluster.client.fetch("/keel/docs")).text();

  expect((index["see"] as string[]).filter((path) => !path.startsWith("/keel/"))).toEqual([]);
  // OpenAPI 3.1 § Paths Object: a path is appended to the server's URL.
  const [server] = contract["servers"] as { url: string }[];
  for (const path of ["/health", "/api/runs"])
    expect((await cluster.client.fetch(`${server?.url}${path}`)).status).toBe(200);
  const links = [...docs.matchAll(/(?:href|src)="([^"]*)"/g)].map(([, link = ""]) => link);
  expect(links.filter((link) => !link.startsWith("#"))).toEqual(["openapi.json"]);
});
