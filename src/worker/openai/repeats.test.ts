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

test.each(["responses", "completions"] as const)(
  "a request of %s that is repeated with its key gets the first run, also when the connection broke",
  async (kind) => {
    await using cluster = await startCluster();
    const text = `/sim tokens=30 rate=100`;
    const ask = (given: string, signal?: AbortSignal) => {
      const openai = clientOf(cluster);
      const options = { headers: { "Idempotency-Key": "order-1" }, ...(signal && { signal }) };
      return kind === "responses"
        ? openai.responses.create({ model: "assistant", input: given }, options)
        : openai.chat.completions.create({ model: "assistant", messages: [{ role: "user", content: given }] }, options);
    };
    const leaving = new AbortController();
    const broken = refusalOf(ask(text, leaving.signal));
    await begun(cluster);
    leaving.abort();
    await broken;
    const { data, response } = await ask(text).withResponse();
    expect(JSON.stringify(data)).toContain("tok30");
    expect(response.headers.get("idempotent-replayed")).toBe("true");
    expect((await ask(text)).id).toBe(data.id);
    expect(await statuses(cluster)).toEqual(["completed"]);
    expect(await refusalOf(ask("another"))).toMatchObject({ status: 422, code: "IDEMPOTENCY_MISMATCH" });
  },
);

test.each(["responses", "completions"] as const)(
  "%s with a key may be sent again while their run outlives the process that waits for it",
  async (kind) => {
    await using cluster = await startCluster();
    const openai = clientOf(cluster, "none", 1);
    const options = { headers: { "Idempotency-Key": "order-1" } };
    const messages = [{ role: "user" as const, content: LONG }];
    const asked =
      kind === "responses"
        ? openai.responses.create({ model: "assistant", input: LONG }, options)
        : openai.chat.completions.create({ model: "assistant", messages }, options);
    const refused = refusalOf(asked);
    await begun(cluster);
    cluster.letGo();
    expect((await refused).headers?.get("x-should-retry")).toBeNull();
    expect(await statuses(cluster)).toEqual(["running"]);
  },
);

async function begun(cluster: Cluster): Promise<void> {
  await expect.poll(() => statuses(cluster), { timeout: 10_000 }).toEqual(["running"]);
}

async function statuses({ engine }: Cluster): Promise<string[]> {
  return (await engine.runs({ limit: 10 })).items.map(({ status }) => status);
}
