import { expect, test, vi } from "vitest";
import { enqueue } from "../engine/contract/setup.ts";
import { startCluster } from "../testing/cluster.ts";
import { SocketClient } from "../testing/socket.ts";

test("what a new viewer catches up with says nothing of how soon events go out; what comes then does", async () => {
  await using cluster = await startCluster();
  const { meter } = cluster.delivery;
  const watch = async () => {
    const client = await SocketClient.connect(cluster.client.url);
    client.send({ op: "subscribe", channel: "activities", after: 0 });
    return client;
  };
  // Two viewers, so that the feed keeps new frames in memory.
  await using _first = await watch();
  await using _second = await watch();
  await vi.waitUntil(() => meter.viewers.size === 2);
  // More frames than the first page that a new viewer reads; it finds the rest in memory.
  await Promise.all(Array.from({ length: 60 }, () => cluster.client.chat("/sim tokens=1")));
  const { seq: newest = 0 } = (await cluster.engine.activities({ limit: 1 })).items[0] ?? {};
  // All these frames were delivered at once; now time passes.
  await new Promise((resolve) => setTimeout(resolve, 600));

  await using late = new AsyncDisposableStack();
  for (let viewers = 0; viewers < 20; viewers += 1) await late.use(await watch()).until(({ seq }) => seq === newest);
  expect(meter.read()["append_to_socket_p99_ms"]).toBeGreaterThan(0);
  expect(meter.read()["append_to_socket_p99_ms"]).toBeLessThan(500);
});

test.each([1, 2])(
  "%i viewers of a client's own activities are not behind because of what others do",
  async (viewers) => {
    const ana = { name: "ana", secret: "ana-secret-1", role: "client" } as const;
    await using cluster = await startCluster({ settings: { apiKeys: [ana] }, runner: false });
    const { engine, delivery } = cluster;
    await using open = new AsyncDisposableStack();
    const headers = { Authorization: `Bearer ${ana.secret}` };
    for (let n = 0; n < viewers; n += 1) {
      const client = open.use(await SocketClient.connect(cluster.client.url, { headers }));
      await client.ask({ op: "subscribe", channel: "activities" });
    }
    const feed = delivery.feeds.activities();
    await feed.followed();

    await enqueue(engine, { principal: "ana" });
    for (let n = 0; n < 50; n += 1) await enqueue(engine, { principal: "bob" });

    const newest = await engine.lastActivity();
    await expect.poll(() => feed.newest).toBe(newest);
    await expect.poll(() => delivery.meter.read()["slowest_behind_events"]).toBe(0);
  },
);
