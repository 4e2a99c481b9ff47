import { expect, test } from "vitest";
import { claimNext, stepOf } from "../engine/contract/setup.ts";
import { startCluster } from "../testing/cluster.ts";

test("a thread shows its messages in order, each with the run that made it", async () => {
  await using cluster = await startCluster();
  await cluster.client.chat("/sim tokens=1\none", { thread_id: "t", run_id: "a" });
  await cluster.client.chat("/sim tokens=2\ntwo", { thread_id: "t", run_id: "b" });

  const { body } = await cluster.client.get("/api/threads/t");

  expect(body).toMatchObject({ thread_id: "t", runs: 2 });
  expect(body["messages"]).toMatchObject([
    { role: "user", content: "/sim tokens=1\none", run_id: "a", at: expect.any(Number) },
    { role: "assistant", content: [{ type: "text", text: "tok1" }], run_id: "a" },
    { role: "user", content: "/sim tokens=2\ntwo", run_id: "b" },
    { role: "assistant", content: [{ type: "text", text: "tok1 tok2" }], run_id: "b" },
  ]);
});

test("threads are listed newest first, page by page", async () => {
  await using cluster = await startCluster({ runner: false });
  for (const thread of ["a", "b", "c"]) await cluster.client.begin("hello", { thread_id: thread });
  const list = async (query: string) => {
    const { body } = await cluster.client.get(`/api/threads?${query}`);
    return { ids: (body["threads"] as { thread_id: string }[]).map(({ thread_id }) => thread_id), next: body["next"] };
  };

  const first = await list("limit=2");

  expect(first.ids).toEqual(["c", "b"]);
  expect(await list(`limit=2&before=${String(first.next)}`)).toEqual({ ids: ["a"], next: null });
});

test("a deleted thread is gone with its runs and their events", async () => {
  await using cluster = await startCluster();
  const { body: run } = await cluster.client.chat("secret", { thread_id: "t" });

  const { status } = await cluster.client.ask("/api/threads/t", { method: "DELETE" });

  expect(status).toBe(204);
  for (const path of ["/api/threads/t", `/api/runs/${run.run_id}`, `/api/runs/${run.run_id}/events`]) {
    expect((await cluster.client.get(path)).status).toBe(404);
  }
  expect(JSON.stringify((await cluster.client.get("/api/activities")).body)).not.toContain(run.run_id);
});

test("a thread with a run under way is not deleted", async () => {
  await using cluster = await startCluster({ runner: false });
  await cluster.client.begin("hello", { thread_id: "t" });

  const { status, body } = await cluster.client.ask("/api/threads/t", { method: "DELETE" });

  expect({ status, code: body.code }).toEqual({ status: 409, code: "THREAD_BUSY" });
  expect((await cluster.client.get("/api/threads/t")).status).toBe(200);
});

test("a thread whose run was canceled between a tool call and its result goes on", async () => {
  await using cluster = await startCluster();
  await cluster.client.chat("/sim loop", { thread_id: "t", timeout_ms: 60 });

  const { body } = await cluster.client.chat("and now?", { thread_id: "t" });

  expect(body.status).toBe("completed");
});

test("a thread of many megabytes comes in pages of about one, which together are all of it", async () => {
  await using cluster = await startCluster({ runner: false });
  await cluster.client.begin("hello", { thread_id: "t" });
  const claim = await claimNext(cluster.engine);
  for (let many = 0; many < 6; many += 1)
    await cluster.engine.append(stepOf(claim, { messages: [{ role: "assistant", content: "x".repeat(700_000) }] }));

  const lengths: number[] = [];
  let messages = 0;
  for (let query = ""; ;) {
    const { text, next, many } = await pageOf(query);
    lengths.push(text.length);
    messages += many;
    if (next === null) break;
    query = `?before=${next}`;
  }

  expect(Math.max(...lengths)).toBeLessThan(2_000_000);
  expect(lengths.length).toBeGreaterThanOrEqual(3);
  expect(messages).toBe(7);

  async function pageOf(query: string) {
    const text = await cluster.client.fetch(`/api/threads/t${query}`).then((response) => response.text());
    const body = JSON.parse(text) as { messages: object[]; next: number | null };
    return { text, next: body.next, many: body.messages.length };
  }
});
