import { once } from "node:events";
import type { RequestListener, ServerResponse } from "node:http";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished, test, vi } from "vitest";
import { HttpServer } from "./server.ts";

const REQUEST = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
const DRAIN_MS = 5_000;
/** Longer than a test may take. */
const ENDLESS_MS = 3_600_000;
/** A drain closes idle connections after this time. */
const FAREWELL_MS = 1_000;

/** A server, and a client with one connection. */
async function open(listener: RequestListener) {
  const server = new HttpServer(listener, () => {});
  const socket = connect(await server.listen("127.0.0.1", 0), "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  const received = { text: "" };
  socket.setEncoding("utf8").on("data", (text) => (received.text += String(text)));
  socket.on("error", () => {});
  return { server, socket, received, closed: once(socket, "close") };
}

test("a request that came while the process had no time is answered, although idle connections are closed next", async () => {
  const { server, socket, received, closed } = await open((_request, response) => response.end("served"));
  socket.write(REQUEST);
  await once(socket, "data");
  received.text = "";

  const drained = server.drain(DRAIN_MS);
  socket.write(REQUEST);
  spin(FAREWELL_MS + 200);
  await Promise.all([drained, closed]);

  expect(received.text).toContain("served");
});

test("a request that is under way when the drain begins is told that its connection ends", async () => {
  const { promise: come, resolve } = Promise.withResolvers<ServerResponse>();
  const { server, socket, received, closed } = await open((_request, response) => resolve(response));
  socket.write(REQUEST);
  const response = await come;

  const drained = server.drain(DRAIN_MS);
  response.end("served");
  await Promise.all([drained, closed]);

  expect(received.text).toMatch(/^connection: close\r\n[^]*served/im);
});

test("a client that was told that its connection stays open, before the drain, may use it for a second more", async () => {
  const responses: ServerResponse[] = [];
  const { server, socket, received, closed } = await open((_request, response) => void responses.push(response));
  socket.write(REQUEST);
  await vi.waitFor(() => expect(responses).toHaveLength(1));
  responses[0]?.write("begun");

  const drained = server.drain(DRAIN_MS);
  await delay(FAREWELL_MS + 200);
  responses[0]?.end();
  // The drain looks more often than this.
  await delay(200);
  socket.write(REQUEST);
  await vi.waitFor(() => expect(responses).toHaveLength(2));
  responses[1]?.end("served");
  await Promise.all([drained, closed]);

  expect(received.text).toMatch(/connection: close\r\n[^]*served/i);
});

test("while other workers serve, a client that stood still for longer than a farewell is answered", async () => {
  const { server, socket, received, closed } = await open((_request, response) => response.end("served"));
  socket.write(REQUEST);
  await once(socket, "data");
  received.text = "";

  const drained = server.drain(DRAIN_MS, { othersServe: true });
  await delay(FAREWELL_MS + 200);
  socket.write(REQUEST);
  await Promise.all([drained, closed]);

  expect(received.text).toMatch(/^connection: close\r\n[^]*served/im);
});

test("a request of which only the beginning came when idle connections are closed is answered", async () => {
  const { server, socket, received, closed } = await open((_request, response) => response.end("served"));
  socket.write(REQUEST);
  await once(socket, "data");
  received.text = "";
  socket.write(REQUEST.slice(0, 10));

  const drained = server.drain(DRAIN_MS);
  await delay(FAREWELL_MS + 200);
  socket.write(REQUEST.slice(10));
  await Promise.all([drained, closed]);

  expect(received.text).toMatch(/^connection: close\r\n[^]*served/im);
});

test("a drain that is called again without other workers waits no longer for silent clients", async () => {
  const { server, socket, closed } = await open((_request, response) => response.end("served"));
  socket.write(REQUEST);
  await once(socket, "data");

  const drained = server.drain(ENDLESS_MS, { othersServe: true });
  void server.drain(ENDLESS_MS);
  await closed;

  await expect(drained).resolves.toBeUndefined();
});

test("a drain without clients ends at once", async () => {
  const server = new HttpServer(
    () => {},
    () => {},
  );
  await server.listen("127.0.0.1", 0);

  await expect(server.drain(ENDLESS_MS, { othersServe: true })).resolves.toBeUndefined();
});

/** Blocks the event loop. */
function spin(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end) continue;
}
