/** Clients of SSE that use `fetch` resume by sending the same POST again, with `Last-Event-ID`. */
import { expect, test } from "vitest";
import { startCluster, type Cluster } from "../testing/cluster.ts";
import { readAll, readUntil } from "../testing/sse.ts";

interface Request {
  readonly path?: string;
  readonly fields?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

function post({ client }: Cluster, { path = "/api/chat/stream", fields, headers }: Request): Promise<Response> {
  return client.fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "text/event-stream", ...headers },
    body: JSON.stringify({ agent_id: "assistant", message: "/sim tokens=30 rate=200", ...fields }),
  });
}

test.each(["/api/chat/stream", "/api/chat"])(
  "POST %s again with Last-Event-ID has the events behind it, and starts no second run",
  async (path) => {
    await using cluster = await startCluster();
    const fields = { run_id: "mine" };
    const first = await readUntil(await post(cluster, { path, fields }), ({ type }) => type === "TEXT_MESSAGE_CONTENT");
    const last = first.at(-1)?.id ?? 0;

    const rest = await readAll(await post(cluster, { path, fields, headers: { "Last-Event-ID": String(last) } }), last);

    const { body } = await cluster.client.get("/api/runs/mine/events?limit=500");
    expect([...first, ...rest].map(({ event }) => event)).toEqual(body["events"]);
    expect((await cluster.engine.runs({ limit: 10 })).items).toHaveLength(1);
  },
);

test("the Idempotency-Key names the run as well", async () => {
  await using cluster = await startCluster();
  const headers = { "Idempotency-Key": "k1" };
  const whole = await readAll(await post(cluster, { headers }));

  const rest = await readAll(await post(cluster, { headers: { ...headers, "Last-Event-ID": "5" } }), 5);

  expect(rest).toEqual(whole.slice(5));
});

test("a repeat that names no run is refused before it starts one", async () => {
  await using cluster = await startCluster();
  const response = await post(cluster, { headers: { "Last-Event-ID": "5" } });
  expect(response.status).toBe(400);
  expect(await response.text()).toContain("Expected a `run_id` or an `Idempotency-Key`");
  expect((await cluster.engine.runs({ limit: 10 })).items).toEqual([]);
});

test("a position that the run has not reached is refused; a run that only begins has all its events", async () => {
  await using cluster = await startCluster();
  const ahead = { fields: { run_id: "mine" }, headers: { "Last-Event-ID": "9999" } };
  const events = await readAll(await post(cluster, ahead));
  expect(events.at(-1)?.event.type).toBe("RUN_FINISHED");
  expect((await post(cluster, ahead)).status).toBe(400);
});
