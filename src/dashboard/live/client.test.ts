/** The client with a hub of its own, against a real WebSocket server: what listeners are told. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LiveClient } from "./client.ts";
import { FakeServer } from "./fake-server.ts";
import type { ChannelRequest } from "./messages.ts";

let server: FakeServer;
let client: LiveClient;

beforeEach(async () => {
  server = await FakeServer.open();
  // There is no SharedWorker in Node, so the client makes a hub of its own; that one asks `location` where to go.
  vi.stubGlobal("location", { href: server.url.replace("ws:", "http:") });
  client = new LiveClient(() => null);
});

afterEach(async () => {
  client.suspend();
  vi.unstubAllGlobals();
  await server[Symbol.asyncDispose]();
});

function listen(request: ChannelRequest = { channel: "activities" }) {
  const told: unknown[] = [];
  const stop = client.subscribe(request, {
    onEvent: (_event, seq) => told.push(seq),
    onReady: () => told.push("ready"),
    onRestarted: () => told.push("restarted"),
    onError: ({ code }) => told.push(code),
  });
  return { told, stop };
}

test("a listener hears once that it is ready, and not again after a lost connection, which lost nothing", async () => {
  const { told } = listen();
  server.say({ id: (await server.frame(0))["id"], ok: true, seq: 5 });
  await vi.waitFor(() => expect(told).toEqual(["ready"]));

  server.peers[0]?.terminate();

  const again = await server.frame(1);
  expect(again).toMatchObject({ after: 5 });
  server.say({ id: again["id"], ok: true, seq: 6 });
  server.say({ id: again["id"], seq: 6, event: {} });
  await vi.waitFor(() => expect(told).toEqual(["ready", 6]));
});

test("a server that begins anew is told to the listener, which then hears the new one from its start", async () => {
  const { told } = listen();
  server.say({ id: (await server.frame(0))["id"], ok: true, seq: 5 });
  await vi.waitFor(() => expect(told).toEqual(["ready"]));
  server.peers[0]?.terminate();

  server.say({ id: (await server.frame(1))["id"], error: { code: "INVALID_REQUEST", detail: "at most 1" } });
  const { id } = await server.frame(2);
  server.say({ id, ok: true, seq: 1 });
  server.say({ id, seq: 2, event: {} });

  await vi.waitFor(() => expect(told).toEqual(["ready", "restarted", "ready", 2]));
});

test("after trouble of the server's disk the subscription is asked for again by itself, from where it was", async () => {
  const { told } = listen();
  const { id } = await server.frame(0);
  server.say({ id, ok: true, seq: 5 });
  server.say({ id, seq: 6, event: {} });

  server.say({ id, error: { code: "STORAGE_UNAVAILABLE", detail: "The disk is in trouble." } });

  const again = await vi.waitFor(() => server.frame(1), { timeout: 5_000 });
  expect(again).toMatchObject({ channel: "activities", after: 6 });
  server.say({ id: again["id"], ok: true, seq: 6 });
  await vi.waitFor(() => expect(told).toEqual(["ready", 6, "STORAGE_UNAVAILABLE", "ready"]));
});

test("what is refused for good is told, and not asked for again", async () => {
  const { told, stop } = listen({ channel: "run", run_id: "x", after: 0 });
  server.say({ id: (await server.frame(0))["id"], error: { code: "RUN_NOT_FOUND", detail: "There is no run x." } });
  await vi.waitFor(() => expect(told).toEqual(["RUN_NOT_FOUND"]));

  stop();
  listen({ channel: "run", run_id: "y", after: 0 });

  expect(await server.frame(1)).toMatchObject({ op: "subscribe", run_id: "y" });
});

test("a message that is too large is refused with its code, and the next one goes through", async () => {
  const chat = { op: "chat", agent_id: "a" } as const;
  await expect(client.call({ ...chat, message: "x".repeat(2_000_000) })).rejects.toMatchObject({
    code: "BODY_TOO_LARGE",
  });
  const answered = client.call({ ...chat, message: "short" });
  server.say({ id: (await server.frame(0))["id"], ok: true, status: "queued" });

  expect(await answered).toMatchObject({ status: "queued" });
  expect(server.peers).toHaveLength(1);
});
