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
