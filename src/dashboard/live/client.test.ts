/** The client with a hub of its own, against a real WebSocket server: what listeners are told. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LiveClient } from "./client.ts";
import { FakeServer } from "./fake-server.ts";
import type { ChannelRequest, FromHub } from "./messages.ts";

let server: FakeServer;
let client: LiveClient;

beforeEach(async () => {
  server = await FakeServer.open();
  // Node has no SharedWorker, so the client makes a hub of its own, which reads the server's address from `location`.
  vi.stubGlobal("location", { href: server.url.replace("ws:", "http:") });
  client = new LiveClient(() => null);
});

afterEach(async () => {
  client.suspend();
  vi.unstubAllGlobals();
  vi.useRealTimers();
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

test("what the hub refuses by itself is no sign of life of a server", async () => {
  // The socket is not open yet.
  await expect(client.call({ op: "chat", agent_id: "a", message: "x".repeat(2_000_000) })).rejects.toMatchObject({
    code: "BODY_TOO_LARGE",
  });

  expect(client.connection.value.lastSeenAt).toBeNull();
});

test("a clock that is set forward is no silence", async () => {
  vi.useFakeTimers({ toFake: ["Date", "setInterval", "clearInterval"] });
  listen({ channel: "processes" });
  server.say({ id: (await server.frame(0))["id"], ok: true, seq: 1 });
  await vi.waitFor(() => expect(client.connection.value.state).toBe("live"));

  vi.setSystemTime(Date.now() + 3_600_000);
  vi.advanceTimersByTime(1_000);

  expect(client.connection.value.state).toBe("live");
});

test("a subscription for which there was no room is asked for again by itself", async () => {
  const others = Array.from({ length: 224 }, () => listen());
  const { told } = listen();
  expect(told).toEqual(["OVERLOADED"]);
  const asked = () => server.received.filter(({ op }) => op === "subscribe").length;
  await vi.waitFor(() => expect(asked()).toBe(224));

  others[0]?.stop();

  await vi.waitFor(() => expect(asked()).toBe(225), { timeout: 5_000 });
  server.say({ id: server.received.at(-1)?.["id"], ok: true, seq: 5 });
  await vi.waitFor(() => expect(told).toEqual(["OVERLOADED", "ready"]));
});

/** A SharedWorker as the page sees it, without anything behind it. */
class FakeWorker extends EventTarget {
  static last: FakeWorker;
  readonly port = Object.assign(new EventTarget(), { start: () => {}, close: () => {}, postMessage: () => {} });

  constructor() {
    super();
    FakeWorker.last = this;
  }

  say(data: FromHub): void {
    this.port.dispatchEvent(new MessageEvent("message", { data }));
  }
}

test("a page that goes over to another hub goes on from where it was, and hears nothing twice", async () => {
  vi.stubGlobal("SharedWorker", FakeWorker);
  const { told } = listen();
  const worker = FakeWorker.last;
  worker.say({ type: "ready", key: 1, seq: 5 });
  worker.say({ type: "event", key: 1, event: {}, seq: 6 });

  worker.dispatchEvent(new Event("error"));

  const { id, after } = await server.frame(0);
  expect(after).toBe(6);
  // The event was already on its way from the last hub.
  worker.say({ type: "event", key: 1, event: {}, seq: 7 });
  for (const seq of [7, 8]) server.say({ id, seq, event: {} });
  await vi.waitFor(() => expect(told).toEqual(["ready", 6, 7, 8]));
});
