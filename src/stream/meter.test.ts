import { expect, test, vi } from "vitest";
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
