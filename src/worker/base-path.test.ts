import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { expect, test } from "vitest";
import { startCluster } from "../testing/cluster.ts";
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
