/** The Hub against a real WebSocket server: what tabs see when connections end. */
import { once } from "node:events";
import { expect, test, vi } from "vitest";
import { FakeServer, type Peer } from "./fake-server.ts";
import { Hub } from "./hub.ts";
import type { FromHub, ToHub } from "./messages.ts";

const TIMES = { reconnect: { firstMs: 10, maxMs: 20 }, silentMs: 60_000, checkMs: 20, steadyMs: 5_000 };

async function start(times: Partial<typeof TIMES> = {}) {
  const server = await FakeServer.open();
  const hub = new Hub({
    open: () => new WebSocket(server.url, ["evenkeel"]),
    times: { ...TIMES, ...times },
  });
  const stop = async () => {
    hub.stop();
    await server[Symbol.asyncDispose]();
  };
  return { server, hub, [Symbol.asyncDispose]: stop };
}

function openTab(hub: Hub, mark: string | null = null) {
  const heard: FromHub[] = [];
  const post: (message: ToHub) => void = hub.connect((message) => heard.push(message));
  post({ type: "attach", mark });
  const seqs = (key: number) =>
    heard.flatMap((message) => (message.type === "event" && message.key === key ? [message.seq] : []));
  return { heard, post, seqs };
}

test("on a new connection a subscription continues after the last seq, and each seq comes once", async () => {
  await using it = await start();
  const tab = openTab(it.hub);
  tab.post({ type: "subscribe", key: 1, request: { channel: "run", run_id: "run_1", after: 0 } });
  const first = await it.server.frame(0);
  expect(first).toMatchObject({ op: "subscribe", channel: "run", run_id: "run_1", after: 0 });
  it.server.say({ id: first["id"], ok: true, channel: "run", seq: 7 });
  it.server.say({ id: first["id"], seq: 6, event: { type: "A" } });
  it.server.say({ id: first["id"], seq: 7, event: { type: "B" } });
  await vi.waitFor(() => expect(tab.seqs(1)).toEqual([6, 7]));

  it.server.peers[0]?.terminate();

  const second = await it.server.frame(1);
  expect(second).toMatchObject({ op: "subscribe", run_id: "run_1", after: 7 });
  it.server.say({ id: second["id"], seq: 7, event: { type: "B" } });
  it.server.say({ id: second["id"], seq: 8, event: { type: "C" } });
  it.server.say({ id: second["id"], done: true });
  await vi.waitFor(() => expect(tab.heard.at(-1)).toEqual({ type: "done", key: 1 }));
  expect(tab.seqs(1)).toEqual([6, 7, 8]);
});

test("who asked for live events only gets those, too, that came while the connection was lost", async () => {
  await using it = await start();
  const tab = openTab(it.hub);
  tab.post({ type: "subscribe", key: 1, request: { channel: "activities" } });
  const first = await it.server.frame(0);
  expect(first).not.toHaveProperty("after");
  it.server.say({ id: first["id"], ok: true, channel: "activities", seq: 40 });
  await vi.waitFor(() => expect(tab.heard).toContainEqual({ type: "ready", key: 1, seq: 40 }));

  it.server.peers[0]?.terminate();

  expect(await it.server.frame(1)).toMatchObject({ channel: "activities", after: 40 });
});

test("a server that counts from 1 again is asked for all of it", async () => {
  await using it = await start();
  const tab = openTab(it.hub);
  tab.post({ type: "subscribe", key: 1, request: { channel: "processes", after: 500 } });

  it.server.say({ id: (await it.server.frame(0))["id"], ok: true, channel: "processes", seq: 3 });

  expect(await it.server.frame(1)).toMatchObject({ op: "unsubscribe" });
  const again = await it.server.frame(2);
  expect(again).toMatchObject({ channel: "processes", after: 0 });
  it.server.say({ id: again["id"], seq: 3, event: {} });
  await vi.waitFor(() => expect(tab.seqs(1)).toEqual([3]));
  expect(tab.heard).toContainEqual({ type: "restarted", key: 1 });
});

test("an activities subscription that is ahead of the server's feed starts anew, with live ones only", async () => {
  await using it = await start();
  const tab = openTab(it.hub);
  tab.post({ type: "subscribe", key: 1, request: { channel: "activities" } });
  it.server.say({ id: (await it.server.frame(0))["id"], ok: true, channel: "activities", seq: 40 });
  await vi.waitFor(() => expect(tab.heard).toContainEqual({ type: "ready", key: 1, seq: 40 }));
  it.server.peers[0]?.terminate();
  const { id } = await it.server.frame(1);

  it.server.say({ id, error: { code: "INVALID_REQUEST", detail: "Expected `after` to be at most 3." } });

  const again = await it.server.frame(2);
  expect(again).not.toHaveProperty("after");
  it.server.say({ id: again["id"], ok: true, channel: "activities", seq: 3 });
  await vi.waitFor(() => expect(tab.heard.at(-1)).toEqual({ type: "ready", key: 1, seq: 3 }));
  expect(tab.heard.filter(({ type }) => type === "restarted" || type === "error")).toEqual([
    { type: "restarted", key: 1 },
  ]);
});

test("a tab that comes from another hub goes on from where it was", async () => {
  await using it = await start();
  const tab = openTab(it.hub);
  tab.post({ type: "subscribe", key: 1, request: { channel: "activities" }, seq: 7 });

  expect(await it.server.frame(0)).toMatchObject({ channel: "activities", after: 7 });
});

test.each([
  ["of ASCII", "a", 1_048_577],
  ["of few but large characters", "€", 350_000],
])(
  "a message %s that is above the server's limit is refused here, and the connection stays",
  async (...[, character, count]) => {
    await using it = await start();
    const tab = openTab(it.hub);
    await it.server.connected(1);

    tab.post({ type: "call", key: 1, op: { op: "chat", agent_id: "a", message: character.repeat(count) } });
    tab.post({ type: "call", key: 2, op: { op: "chat", agent_id: "a", message: "a".repeat(1_000_000) } });

    expect(tab.heard).toContainEqual({
      type: "refused",
      key: 1,
      error: { code: "BODY_TOO_LARGE", detail: expect.stringContaining("1.1 MiB") },
      local: true,
    });
    await vi.waitFor(() => expect(it.server.received).toHaveLength(1));
    expect(it.server.peers).toHaveLength(1);
  },
);

test("a server that answers and closes, again and again, is asked more and more rarely", async () => {
  await using it = await start({ reconnect: { firstMs: 40, maxMs: 60_000 } });
  const tab = openTab(it.hub);
  it.server.server.on("connection", (peer) => {
    peer.send(JSON.stringify({ id: null, ok: true }), () => peer.close(1009));
  });
  tab.post({ type: "subscribe", key: 1, request: { channel: "processes" } });
  await it.server.connected(4);

  const gapsMs = it.server.connectedAt.slice(1).map((at, n) => at - (it.server.connectedAt[n] ?? 0));

  // At least half of 40, 80 and 160 ms: the rest is random.
  for (const [n, gapMs] of gapsMs.entries()) expect(gapMs).toBeGreaterThanOrEqual(19 * 2 ** n);
});

test("a chat without an answer is sent again, and answered once", async () => {
  await using it = await start();
  const tab = openTab(it.hub);
  const op = { op: "chat", agent_id: "assistant", message: "hi", run_id: "run_1" } as const;
  tab.post({ type: "call", key: 9, op });
  await it.server.frame(0);

  it.server.peers[0]?.terminate();
  const again = await it.server.frame(1);
  expect(again).toMatchObject(op);
  it.server.say({ id: again["id"], ok: true, run_id: "run_1", created: false });

  await vi.waitFor(() =>
    expect(tab.heard.filter(({ type }) => type === "reply")).toMatchObject([
      { key: 9, body: { run_id: "run_1", created: false } },
    ]),
  );
  it.server.peers.at(-1)?.terminate();
  await it.server.connected(3);
  expect(it.server.received).toHaveLength(2);
});

test("a refusal reaches the tab that asked, and no other", async () => {
  await using it = await start();
  const [asking, other] = [openTab(it.hub), openTab(it.hub)];
  const error = { code: "RUN_NOT_FOUND", detail: "There is no run x." };
  asking.post({ type: "call", key: 1, op: { op: "cancel", run_id: "x" } });
  asking.post({ type: "subscribe", key: 2, request: { channel: "run", run_id: "x" } });
  for (const n of [0, 1]) it.server.say({ id: (await it.server.frame(n))["id"], error });

  await vi.waitFor(() => {
    expect(asking.heard).toContainEqual({ type: "refused", key: 1, error });
    expect(asking.heard).toContainEqual({ type: "error", key: 2, error });
  });
  expect(other.heard.every(({ type }) => type === "alive" || type === "open")).toBe(true);
});

test("two tabs share one connection, and it ends with the last of them", async () => {
  await using it = await start();
  const [one, two] = [openTab(it.hub), openTab(it.hub)];
  one.post({ type: "subscribe", key: 1, request: { channel: "processes" } });
  two.post({ type: "subscribe", key: 1, request: { channel: "activities" } });
  const id = (await it.server.frame(0))["id"];
  await it.server.frame(1);
  expect(it.server.peers).toHaveLength(1);

  one.post({ type: "bye" });
  expect(await it.server.frame(2)).toEqual({ op: "unsubscribe", id });
  const closed = once(it.server.peers[0] as Peer, "close");
  two.post({ type: "bye" });

  await closed;
});

test("nothing comes to a tab that unsubscribed", async () => {
  await using it = await start();
  const tab = openTab(it.hub);
  tab.post({ type: "subscribe", key: 1, request: { channel: "activities" } });
  tab.post({ type: "subscribe", key: 2, request: { channel: "processes" } });
  const [first, second] = [await it.server.frame(0), await it.server.frame(1)];

  tab.post({ type: "unsubscribe", key: 1 });
  it.server.say({ id: first["id"], seq: 1, event: {} });
  it.server.say({ id: second["id"], seq: 1, event: {} });

  await vi.waitFor(() => expect(tab.seqs(2)).toEqual([1]));
  expect(tab.seqs(1)).toEqual([]);
});

test("a connection that is open and silent is given up, and opened again", async () => {
  await using it = await start({ silentMs: 100 });
  const tab = openTab(it.hub);
  tab.post({ type: "subscribe", key: 1, request: { channel: "processes", after: 0 } });
  it.server.say({ id: (await it.server.frame(0))["id"], seq: 5, event: {} });

  expect(await it.server.frame(1)).toMatchObject({ channel: "processes", after: 5 });
  expect(it.server.peers).toHaveLength(2);
});

test("silence means nothing while nothing is watched that ticks", async () => {
  // This is also the time that the connection may take to open, which is long on a busy machine.
  const silentMs = 300;
  await using it = await start({ silentMs });
  const tab = openTab(it.hub);
  tab.post({ type: "subscribe", key: 1, request: { channel: "activities" } });
  const { id } = await it.server.frame(0);
  const at = performance.now();

  await vi.waitFor(() => expect(performance.now() - at).toBeGreaterThan(3 * silentMs), { timeout: 5_000 });
  it.server.say({ id, seq: 1, event: {} });

  await vi.waitFor(() => expect(tab.seqs(1)).toEqual([1]));
  expect(it.server.peers).toHaveLength(1);
});

test("a server that goes away is left at once for the next one", async () => {
  await using it = await start({ reconnect: { firstMs: 60_000, maxMs: 60_000 } });
  const tab = openTab(it.hub);
  tab.post({ type: "subscribe", key: 1, request: { channel: "activities" } });
  it.server.say({ id: (await it.server.frame(0))["id"], ok: true, seq: 1 });
  await vi.waitFor(() => expect(tab.heard).toContainEqual({ type: "ready", key: 1, seq: 1 }));

  it.server.peers[0]?.close(1001);

  await it.server.connected(2);
});

test("a process that says it is leaving is asked nothing more: the next one gets the chat", async () => {
  await using it = await start();
  const tab = openTab(it.hub);
  tab.post({ type: "call", key: 1, op: { op: "cancel", run_id: "run_1" } });
  const { id } = await it.server.frame(0);

  it.server.say({ id, error: { code: "SHUTTING_DOWN", detail: "The server is draining." } });

  expect(await it.server.frame(1)).toMatchObject({ op: "cancel", run_id: "run_1" });
  expect(tab.heard.some(({ type }) => type === "refused")).toBe(false);
});

test("a sign-in opens the connection anew, so that the cookie goes along", async () => {
  await using it = await start();
  const tab = openTab(it.hub);
  await it.server.connected(1);

  tab.post({ type: "attach", mark: "1" });

  await expect(it.server.connected(2)).resolves.toBeUndefined();
});

test("a tab that was given up is told so, instead of believing that it is served", async () => {
  await using it = await start();
  const tab = openTab(it.hub);
  tab.post({ type: "bye" });

  tab.post({ type: "alive" });

  expect(tab.heard.at(-1)).toEqual({ type: "gone" });
});

test("subscriptions above the server's limit are refused here, with a reason, and the processes keep room", async () => {
  await using it = await start();
  const tab = openTab(it.hub);
  for (let key = 1; key <= 257; key += 1) tab.post({ type: "subscribe", key, request: { channel: "activities" } });
  tab.post({ type: "subscribe", key: 258, request: { channel: "processes" } });

  const refused = { type: "error", key: 257, error: { code: "OVERLOADED" }, local: true };
  expect(tab.heard.at(-1)).toMatchObject(refused);
});
