/**
 * Clients on `/ws` that do not read: the server does not read from them either, holds little for them, and closes them
 * in the end.
 */
import { expect, onTestFinished, test, vi } from "vitest";
import { WebSocket } from "ws";
import { startCluster, type Cluster } from "../../testing/cluster.ts";
import { SocketClient } from "../../testing/socket.ts";

const BIG = "/sim tokens=2 bigline=12000000";

const SUBSCRIBE = { op: "subscribe", channel: "activities" };

test("a client that asks without end and reads nothing is not read any more, and closed with 1013", async () => {
  await using cluster = await startCluster({ settings: { slowClientMs: 1_000 } });
  using close = vi.spyOn(WebSocket.prototype, "close");
  await using socket = await SocketClient.connect(cluster.client.url);
  socket.tcp.pause();
  // Each answer is larger than its request; answers that are not read stay on the client's side.
  const request = JSON.stringify({ op: "fly", id: "x".repeat(64) });

  const peakBytes = await floodUntilClosed(cluster, () => {
    while (socket.ws.bufferedAmount < 1_000_000) socket.ws.send(request);
  });

  expect(peakBytes).toBeGreaterThan(64 * 1024);
  expect(peakBytes).toBeLessThan(512_000);
  // Observed on the server's side: the client reads nothing, so it does not see the close.
  expect(close.mock.calls.map(([code]) => code)).toEqual([1013]);
});

test("a client that pings without end and reads nothing is closed with 1013 as well", async () => {
  await using cluster = await startCluster({ settings: { slowClientMs: 500 } });
  using close = vi.spyOn(WebSocket.prototype, "close");
  await using socket = await SocketClient.connect(cluster.client.url);
  socket.tcp.pause();

  const peakBytes = await floodUntilClosed(cluster, () => {
    for (let count = 0; count < 20_000 && socket.ws.bufferedAmount < 1_000_000; count += 1)
      socket.ws.ping("x".repeat(125));
  });

  expect(peakBytes).toBeLessThan(512_000);
  expect(close.mock.calls.map(([code]) => code)).toEqual([1013]);
});

test("a client that takes nothing for SLOW_CLIENT_MS is closed with 1013, which it sees when it reads on", async () => {
  await using cluster = await startCluster({ settings: { slowClientMs: 300 } });
  await cluster.client.chat(BIG, { run_id: "mine" });
  await using socket = await SocketClient.connect(cluster.client.url);
  const id = socket.send({ op: "subscribe", channel: "run", run_id: "mine" });
  socket.tcp.pause();

  await vi.waitFor(() => expect(cluster.delivery.meter.read()["closed_as_slow"]).toBe(1), { timeout: 5_000 });
  expect(cluster.delivery.meter.viewers.size).toBe(0);
  socket.tcp.resume();

  expect(await socket.closed).toBe(1013);
  await using again = await SocketClient.connect(cluster.client.url);
  const before = socket.eventsOf(id).map(({ event }) => event);
  const rest = await again.readRun("mine", before.at(-1)?.seq ?? 0);
  expect([...before, ...rest.map(({ event }) => event)]).toEqual(await cluster.client.events("mine"));
});

test("one subscription that fills the socket holds the others back, and none of them loses anything", async () => {
  await using cluster = await startCluster();
  await cluster.client.chat(BIG, { run_id: "big" });
  await using socket = await SocketClient.connect(cluster.client.url);
  const feed = await socket.ask(SUBSCRIBE);
  const big = socket.send({ op: "subscribe", channel: "run", run_id: "big" });
  await socket.answerTo(big);
  socket.tcp.pause();

  for (let count = 0; count < 50; count += 1)
    await cluster.client.post("/api/activities", { role: "ops", content: `${count} ${"x".repeat(10_000)}` });
  const queued = cluster.delivery.meter.read()["queued_bytes"] ?? 0;
  socket.tcp.resume();
  await socket.until(({ id, done }) => id === big && done === true);

  // The frame that filled the queue counts whole; later frames were not even read.
  expect(queued).toBeLessThan(13_000_000);
  await vi.waitFor(() => expect(socket.eventsOf(feed.id ?? "")).toHaveLength(50));
  expect(socket.eventsOf(big).map(({ event }) => event)).toEqual(await cluster.client.events("big"));
});

/** @returns the most that was queued for the clients in the meantime */
async function floodUntilClosed({ delivery: { meter } }: Cluster, send: () => void): Promise<number> {
  let peakBytes = 0;
  const flood = setInterval(() => {
    send();
    peakBytes = Math.max(peakBytes, meter.read()["queued_bytes"] ?? 0);
  }, 5);
  onTestFinished(() => clearInterval(flood));
  await vi.waitUntil(() => meter.read()["closed_as_slow"] === 1, { timeout: 20_000 });
  clearInterval(flood);
  return peakBytes;
}
