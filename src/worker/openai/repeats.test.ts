/** Requests that the published `openai` client repeats by itself: no run is begun, and paid, twice. */
import { expect, test } from "vitest";
import type { Cluster } from "../../testing/cluster.ts";
import { startCluster } from "../../testing/cluster.ts";
import { clientOf, refusalOf } from "../../testing/openai.ts";

const LONG = "/sim tokens=6000 rate=60";

test("a kept run that outlives the process that waits for it is not begun anew", async () => {
  await using cluster = await startCluster();
  const asked = refusalOf(clientOf(cluster, "none", 2).responses.create({ model: "assistant", input: LONG }));
  await begun(cluster);
  cluster.letGo();
  const refusal = await asked;
  expect(refusal).toMatchObject({ status: 503, code: "SHUTTING_DOWN" });
  expect(refusal.headers?.get("x-should-retry")).toBe("false");
  expect(await statuses(cluster)).toEqual(["running"]);
});

test("a run that nobody can ask for again ends with the process that waits for it, and may be sent again", async () => {
  await using cluster = await startCluster();
  const messages = [{ role: "user" as const, content: LONG }];
  const asked = refusalOf(clientOf(cluster).chat.completions.create({ model: "assistant", messages }));
  await begun(cluster);
  cluster.letGo();
  const refusal = await asked;
  expect(refusal).toMatchObject({ status: 503, code: "SHUTTING_DOWN" });
  expect(refusal.message).toContain("send the request again");
  expect(refusal.headers?.get("x-should-retry")).toBeNull();
  await expect.poll(() => statuses(cluster), { timeout: 10_000 }).toEqual(["canceled"]);
});

async function begun(cluster: Cluster): Promise<void> {
  await expect.poll(() => statuses(cluster), { timeout: 10_000 }).toEqual(["running"]);
}

async function statuses({ engine }: Cluster): Promise<string[]> {
  return (await engine.runs({ limit: 10 })).items.map(({ status }) => status);
}
