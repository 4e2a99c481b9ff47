/** D6 and G2 on `/ws`: a wrong frame is answered or closes the socket, and the socket's other subscriptions live on. */
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { startCluster, type Cluster } from "../../testing/cluster.ts";
import { SocketClient } from "../../testing/socket.ts";

const SUBSCRIBE = { op: "subscribe", channel: "activities" };
const AFTERR = '"afterr"; known are `op`, `id`, `channel`, `run_id`, `after`, `subagents`.';
const CHAT = { op: "chat", agent_id: "assistant", message: "Hello" };

test.each([
  ["an unknown op", { op: "fly" }, "INVALID_REQUEST", "`op` to be one of"],
  ["no op", {}, "INVALID_REQUEST", "`op` to be one of"],
  ["an unknown channel", { op: "subscribe", channel: "news" }, "INVALID_REQUEST", "`channel` to be one of"],
  ["no run id", { op: "subscribe", channel: "run" }, "INVALID_REQUEST", "`run_id`"],
  ["a run id of no run", { op: "subscribe", channel: "run", run_id: "none" }, "RUN_NOT_FOUND", "none"],
  ["a run id that is none", { op: "subscribe", channel: "run", run_id: { $gt: "" } }, "INVALID_REQUEST", "`run_id`"],
  ["after below 0", { ...SUBSCRIBE, after: -1 }, "INVALID_REQUEST", "`after`"],
  ["after that is no number", { ...SUBSCRIBE, after: "1" }, "INVALID_REQUEST", "`after`"],
  ["after ahead of the feed", { ...SUBSCRIBE, after: 10_000 }, "INVALID_REQUEST", "at most"],
  ["an unknown field of a run", { op: "subscribe", channel: "run", run_id: "x", afterr: 3 }, "INVALID_REQUEST", AFTERR],
  ["a run id for the feed", { ...SUBSCRIBE, run_id: "x" }, "INVALID_REQUEST", '"run_id"; known are'],
  ["an unknown field of a cancel", { op: "cancel", run_id: "x", force: true }, "INVALID_REQUEST", '"force"; known are'],
  ["an unknown field of an unsubscribe", { op: "unsubscribe", all: true }, "INVALID_REQUEST", '"all"; known are'],
  ["an unknown field of a chat", { ...CHAT, on_disconect: "cancel" }, "INVALID_REQUEST", '"on_disconect"; known are'],
  ["a chat without an agent", { op: "chat", message: "Hello" }, "INVALID_REQUEST", "`agent_id`"],
  ["a chat with an unknown agent", { ...CHAT, agent_id: "nobody" }, "AGENT_NOT_FOUND", "nobody"],
  ["a cancel of no run", { op: "cancel", run_id: "none" }, "RUN_NOT_FOUND", "none"],
])("%s is answered with an error under its id, and the socket lives on", async (...[, request, code, detail]) => {
  await using cluster = await startCluster();
  await using socket = await SocketClient.connect(cluster.client.url);
  const feed = await socket.ask(SUBSCRIBE);

  const { error } = await socket.ask(request);

  expect(error).toEqual({ code, detail: expect.stringContaining(detail) });
  await expectAlive(cluster, socket, feed.id ?? "");
});

test("each mistake of a frame is named by its field", async () => {
  await using cluster = await startCluster();
  await using socket = await SocketClient.connect(cluster.client.url);

  const { error } = await socket.ask({ op: "chat", mesage: "Hello", run_id: "!", timeout_ms: 0 });

  for (const field of ['"mesage"', "`agent_id`", "`message`", "`run_id`", "`timeout_ms`"])
    expect(error?.detail).toContain(field);
});

test("after beyond the run's last event is an error, as over HTTP", async () => {
  await using cluster = await startCluster();
  await cluster.client.chat("/sim tokens=1", { run_id: "mine" });
  await using socket = await SocketClient.connect(cluster.client.url);

  const { error } = await socket.ask({ op: "subscribe", channel: "run", run_id: "mine", after: 9_999 });

  expect(error).toMatchObject({ code: "INVALID_REQUEST" });
});

test("an id that is in use is refused, and the first subscription under it goes on", async () => {
  await using cluster = await startCluster();
  await using socket = await SocketClient.connect(cluster.client.url);
  await socket.ask({ ...SUBSCRIBE, id: "feed" });

  expect((await socket.ask({ ...SUBSCRIBE, id: "feed" })).error?.code).toBe("INVALID_REQUEST");

  await expectAlive(cluster, socket, "feed");
});

test.each([
  ["broken JSON", '{"op":', "INVALID_JSON"],
  ["an empty frame", "", "INVALID_JSON"],
  ["an array", "[]", "INVALID_REQUEST"],
  ["null", "null", "INVALID_REQUEST"],
  ["deep JSON", "[".repeat(100_000), "INVALID_JSON"],
  ["no id", '{"op":"subscribe","channel":"activities"}', "INVALID_REQUEST"],
  ["an id that is a number", '{"op":"subscribe","id":1,"channel":"activities"}', "INVALID_REQUEST"],
  ["an id that is too long", JSON.stringify({ ...SUBSCRIBE, id: "x".repeat(65) }), "INVALID_REQUEST"],
  ["__proto__", '{"__proto__":{"op":"subscribe"},"id":null}', "INVALID_REQUEST"],
])("%s is answered under id null, and the socket lives on", async (_, text, code) => {
  await using cluster = await startCluster();
  await using socket = await SocketClient.connect(cluster.client.url);
  const feed = await socket.ask(SUBSCRIBE);

  socket.ws.send(text);

  expect(await socket.until(({ id }) => id === null)).toMatchObject({ id: null, error: { code } });
  await expectAlive(cluster, socket, feed.id ?? "");
});

test.each([
  ["a binary frame", 1003, (socket: SocketClient) => socket.ws.send(Buffer.from("{}"))],
  ["a frame above 1 MiB", 1009, (socket: SocketClient) => socket.ws.send("x".repeat(1024 * 1024 + 1))],
  // A text frame of one masked byte, 0xff.
  ["bytes that are not UTF-8", 1007, (socket: SocketClient) => socket.tcp.write(Buffer.from("818100000000ff", "hex"))],
  ["a frame without a mask", 1002, (socket: SocketClient) => socket.tcp.write(Buffer.from("81027b7d", "hex"))],
])("%s closes that socket with %i and no other", async (_, code, send) => {
  await using cluster = await startCluster();
  await using socket = await SocketClient.connect(cluster.client.url);
  await using other = await SocketClient.connect(cluster.client.url);
  const feed = await other.ask(SUBSCRIBE);

  send(socket);

  expect(await socket.closed).toBe(code);
  await expectAlive(cluster, other, feed.id ?? "");
});

test("to end a subscription that is over, or never was, is fine", async () => {
  await using cluster = await startCluster();
  await using socket = await SocketClient.connect(cluster.client.url);

  expect(await socket.ask({ op: "unsubscribe" })).toMatchObject({ ok: true });
});

test("a socket has at most 256 subscriptions", async () => {
  await using cluster = await startCluster();
  await using socket = await SocketClient.connect(cluster.client.url);
  for (let count = 0; count < 256; count += 1) socket.send(SUBSCRIBE);

  expect((await socket.ask(SUBSCRIBE)).error?.detail).toContain("256");

  expect(cluster.delivery.meter.viewers.size).toBe(256);
});

test.each([
  ["another origin", { origin: "https://evil.example" }, 403],
  ["a Host that is not ours", { host: "evil.example" }, 403],
  ["elsewhere, through a proxy,", { "x-forwarded-for": "8.8.8.8" }, 403],
])("an upgrade from %s is refused", async (_, headers, status) => {
  await using cluster = await startCluster();

  await expect(SocketClient.connect(cluster.client.url, { headers })).rejects.toThrow(String(status));
});

test("a page of our own origin is served", async () => {
  await using cluster = await startCluster();
  await using socket = await SocketClient.connect(cluster.client.url, { headers: { origin: cluster.client.url } });

  expect(await socket.ask(SUBSCRIBE)).toMatchObject({ ok: true });
});

const KEY = "a-secret/with+signs";
const keyProtocol = (secret: string) => `evenkeel.key.${Buffer.from(secret).toString("base64url")}`;

test.each([
  ["as a bearer token", { headers: { authorization: `Bearer ${KEY}` } }],
  ["as a subprotocol, as pages must", { protocols: ["evenkeel", keyProtocol(KEY)] }],
])("with API keys a socket needs one, %s", async (_, options) => {
  await using cluster = await startCluster({ settings: { apiKeys: [{ name: "ana", secret: KEY }] } });

  await expect(SocketClient.connect(cluster.client.url)).rejects.toThrow("401");
  await expect(
    SocketClient.connect(cluster.client.url, { protocols: ["evenkeel", keyProtocol("wrong")] }),
  ).rejects.toThrow("401");
  await using socket = await SocketClient.connect(cluster.client.url, options);
  expect(await socket.ask(SUBSCRIBE)).toMatchObject({ ok: true });
  // The chosen protocol must not be the one with the key, which would show in logs of proxies.
  expect(socket.ws.protocol).not.toContain("key");
});

test("a WebSocket anywhere else is 404, and another upgrade at /ws is a plain request", async () => {
  await using cluster = await startCluster();

  const elsewhere = await rawUpgrade(cluster, "/api/ws", "websocket");
  const h2c = await rawUpgrade(cluster, "/health", "h2c");

  expect(elsewhere).toMatch(/^HTTP\/1.1 404 [\s\S]*the WebSocket is at \/ws/);
  expect(h2c).toMatch(/^HTTP\/1.1 200 [\s\S]*"ok"/);
});

test("a refused upgrade leaves no connection behind, however long its client stays", async () => {
  await using cluster = await startCluster();
  const socket = connect({ port: cluster.port, host: "127.0.0.1", allowHalfOpen: true });
  const closed = new Promise((resolve) => socket.on("close", resolve));
  socket.resume();
  socket.write(UPGRADE.replace("/ws", "/elsewhere"));

  // The client's side stays open; the server's side is closed when a write is reset.
  const prod = setInterval(() => socket.write("x"), 20);
  onTestFinished(() => clearInterval(prod));
  socket.on("error", () => {});
  await closed;

  expect((await cluster.client.get("/health")).status).toBe(200);
});

test("an upgrade behind a request that is not answered yet ends that connection, and nothing else", async () => {
  await using cluster = await startCluster({ settings: { apiKeys: [{ name: "ana", secret: KEY }] } });
  const socket = connect(cluster.port, "127.0.0.1");
  const closed = once(socket, "close");
  socket.on("error", () => {}).resume();

  socket.write(`GET /api/runs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${KEY}\r\n\r\n${UPGRADE}`);

  await closed;
  expect((await cluster.client.get("/health")).status).toBe(200);
});

test("a drain closes a socket that asks without end as quickly as any other", async () => {
  await using cluster = await startCluster({ runner: false });
  await using socket = await SocketClient.connect(cluster.client.url);
  for (let count = 0; count < 200; count += 1) socket.send(CHAT);
  await socket.until(({ ok }) => ok === true);

  cluster.letGo();

  // Well before `ws` would cut off the socket because its close is not finished.
  expect(await Promise.race([socket.closed, delay(1_500).then(() => "still open")])).toBe(1001);
});

const UPGRADE =
  "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

async function expectAlive(cluster: Cluster, socket: SocketClient, feed: string): Promise<void> {
  const { body } = await cluster.client.post("/api/activities", { role: "test", content: "still there?" });
  await socket.until(({ id, seq }) => id === feed && seq === body["seq"]);
}

/** @returns the server's whole answer, until it closes or sends nothing more after a first answer */
function rawUpgrade({ port }: Cluster, path: string, protocol: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect(port, "127.0.0.1");
  let text = "";
  socket.setEncoding("utf8").on("data", (data) => {
    text += String(data);
    if (!text.includes("}")) return;
    socket.destroy();
    resolve(text);
  });
  socket.on("error", reject);
  socket.on("close", () => resolve(text));
  const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n${key}\r\n`);
  return promise;
}
