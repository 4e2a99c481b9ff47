import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { startCluster } from "../testing/cluster.ts";
import { lookAtWay } from "./doctor-way.ts";

test("a run that fails is told with its reason, and no proxy is blamed for it", async () => {
  // Its own worker is no model.
  await using other = await startCluster({ runner: false });
  await using cluster = await startCluster({ modelUrl: other.client.url });
  const { stream } = lookAtWay(cluster.client.url, undefined);
  await expect(stream?.()).rejects.toThrow(/^A run failed: The model.*ANTHROPIC_BASE_URL/);
});

test("a stream that comes as it is sent is fine", async () => {
  await using cluster = await startCluster();
  const { stream } = lookAtWay(cluster.client.url, undefined);
  expect(await stream?.()).toMatch(/^events came over \d+ ms/);
});

test("a way that keeps all events back is told after a while, and not waited for", async () => {
  const way = createServer(({ url = "" }, response) => {
    if (url === "/api/agents") response.end(JSON.stringify({ agents: [{ agent_id: "assistant" }] }));
    else response.writeHead(200, { "Content-Type": "text/event-stream" }).flushHeaders();
  });
  await once(way.listen(0, "127.0.0.1"), "listening");
  try {
    const { stream } = lookAtWay(`http://127.0.0.1:${(way.address() as AddressInfo).port}`, undefined, 500);
    await expect(stream?.()).rejects.toThrow("A stream was silent for 0.5 s: a proxy buffers its events");
  } finally {
    way.closeAllConnections();
    way.close();
  }
});
