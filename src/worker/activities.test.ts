import { expect, test } from "vitest";
import type { Activity } from "../core/activity.ts";
import type { Client } from "../testing/client.ts";
import { startCluster } from "../testing/cluster.ts";

async function list(client: Client, query = ""): Promise<{ activities: Activity[]; next: number | null }> {
  const { body } = await client.get(`/api/activities${query}`);
  return body as unknown as { activities: Activity[]; next: number | null };
}

const typesOf = ({ activities }: { activities: Activity[] }) => activities.map(({ type }) => type);

test("a run leaves its trail in the feed, newest first, and never a text delta", async () => {
  await using cluster = await startCluster();
  await cluster.client.chat('/sim tool=calculate input={"expression":"1+1"}', { run_id: "mine", thread_id: "t" });

  const feed = await list(cluster.client);

  expect(typesOf(feed)).toEqual(["run.completed", "tool.finished", "tool.called", "run.started", "run.queued"]);
  expect(feed.activities[1]).toMatchObject({
    seq: 4,
    at: expect.any(Number),
    agent_id: "assistant",
    thread_id: "t",
    run_id: "mine",
    detail: { tool: "calculate", is_error: false },
  });
  expect(feed.next).toBeNull();
});

test("the feed is filtered by agent, thread, run and type, and paged both ways", async () => {
  await using cluster = await startCluster();
  await cluster.client.chat("/sim tokens=1", { run_id: "a", thread_id: "t" });
  await cluster.client.chat("/sim tokens=1", { run_id: "b", agent_id: "greeter" });

  expect(new Set((await list(cluster.client, "?agent_id=greeter")).activities.map((a) => a.run_id))).toEqual(
    new Set(["b"]),
  );
  expect((await list(cluster.client, "?thread_id=t")).activities).toHaveLength(3);
  expect((await list(cluster.client, "?run_id=b&type=run.completed")).activities).toHaveLength(1);
  const first = await list(cluster.client, "?limit=4");
  const second = await list(cluster.client, `?limit=4&before=${first.next}`);
  expect([...first.activities, ...second.activities].map(({ seq }) => seq)).toEqual([6, 5, 4, 3, 2, 1]);
  expect((await list(cluster.client, "?after=4")).activities.map(({ seq }) => seq)).toEqual([6, 5]);
  expect((await cluster.client.get("/api/activities?type=nonsense")).body.code).toBe("INVALID_REQUEST");
});

test("after ahead of the feed is refused, as over the socket, until the feed has come that far", async () => {
  await using cluster = await startCluster();
  await cluster.client.post("/api/activities", { role: "a", content: "one" });
  const ahead = () => cluster.client.get("/api/activities?after=2");

  expect((await cluster.client.get("/api/activities?after=1")).body).toEqual({ activities: [], next: null });
  expect((await ahead()).body).toMatchObject({
    code: "INVALID_REQUEST",
    detail: expect.stringContaining("at most 1,"),
  });
  await cluster.client.post("/api/activities", { role: "a", content: "two" });
  expect((await ahead()).body).toEqual({ activities: [], next: null });
});

test("a failed run is in the feed with its code and message", async () => {
  await using cluster = await startCluster();
  await cluster.client.chat("/sim status=400");

  const [failed] = (await list(cluster.client, "?type=run.failed")).activities;

  expect(failed?.detail).toMatchObject({ code: "MODEL_REJECTED", message: expect.stringContaining("400") });
});

test("a notice that is posted shows in the feed", async () => {
  await using cluster = await startCluster();

  const { status, body } = await cluster.client.post("/api/activities", {
    role: "system",
    content: "Lunch <b>now</b>",
  });

  expect(status).toBe(201);
  expect(body).toMatchObject({ seq: 1, type: "notice", detail: { role: "system", content: "Lunch <b>now</b>" } });
  expect((await list(cluster.client)).activities).toEqual([body]);
});

test.each([
  {},
  { role: "user" },
  { role: "", content: "a" },
  { role: "a", content: 1 },
  { role: "a", content: "x".repeat(20_000) },
  { role: "a", content: "b", level: "warn" },
])("a notice that says too little or too much is refused (%#)", async (notice) => {
  await using cluster = await startCluster();

  expect((await cluster.client.post("/api/activities", notice)).body).toMatchObject({ status: 400 });
  expect((await list(cluster.client)).activities).toEqual([]);
});

test("a feed that did not change is 304, and one that did is not", async () => {
  await using cluster = await startCluster();
  await cluster.client.post("/api/activities", { role: "a", content: "one" });
  const { headers } = await cluster.client.get("/api/activities");
  const etag = headers.get("etag") ?? "";
  const again = () => cluster.client.get("/api/activities", { "If-None-Match": etag });

  expect(await again()).toMatchObject({ status: 304, body: { text: "" } });
  await cluster.client.post("/api/activities", { role: "a", content: "two" });
  const changed = await again();
  expect(changed.status).toBe(200);
  expect(changed.headers.get("etag")).not.toBe(etag);
});

test("a deleted thread changes the feed for a client that has the old one", async () => {
  await using cluster = await startCluster();
  await cluster.client.chat("/sim tokens=1", { thread_id: "t" });
  const { headers } = await cluster.client.get("/api/activities");
  await cluster.client.ask("/api/threads/t", { method: "DELETE" });

  const { status, body } = await cluster.client.get("/api/activities", { "If-None-Match": headers.get("etag") ?? "" });

  expect(status).toBe(200);
  expect((body["activities"] as Activity[]).filter(({ thread_id }) => thread_id === "t")).toEqual([]);
});

test("HEAD answers like GET, without a body", async () => {
  await using cluster = await startCluster();

  for (const path of ["/health", "/api/activities", "/api/runs", "/info"]) {
    const { status, body } = await cluster.client.ask(path, { method: "HEAD" });
    expect([path, status, body]).toMatchObject([path, 200, {}]);
  }
});
