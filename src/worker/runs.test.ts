import { expect, test, vi } from "vitest";
import { enqueue } from "../engine/contract/setup.ts";
import { startCluster } from "../testing/cluster.ts";
import { problemsOf, textIn } from "../testing/journal.ts";
import { readAll, readSse, readUntil } from "../testing/sse.ts";

const SLOW = "/sim tokens=10000 rate=50";

test("a run is shown with all that is known of it", async () => {
  await using cluster = await startCluster();
  await cluster.client.chat("/sim tokens=2", { run_id: "mine", thread_id: "t", metadata: { a: 1 }, timeout_ms: 5_000 });

  const { body } = await cluster.client.get("/api/runs/mine");

  expect(body).toMatchObject({
    run_id: "mine",
    thread_id: "t",
    agent_id: "assistant",
    status: "completed",
    attempts: 1,
    steps: 1,
    reply: "tok1 tok2",
    error: null,
    timeout_ms: 5_000,
    cancel_requested: false,
    metadata: { a: 1 },
    duration_ms: expect.any(Number),
  });
});

test("runs are listed newest first, page by page, filtered by status, agent and thread", async () => {
  await using cluster = await startCluster();
  await cluster.client.chat("/sim tokens=1", { run_id: "a", thread_id: "t" });
  await cluster.client.chat("/sim status=400", { run_id: "b", thread_id: "t" });
  await cluster.client.chat("/sim tokens=1", { run_id: "c", agent_id: "greeter" });
  const list = async (query: string) => {
    const { body } = await cluster.client.get(`/api/runs?${query}`);
    return { ids: (body["runs"] as { run_id: string }[]).map(({ run_id }) => run_id), next: body["next"] };
  };

  expect((await list("")).ids).toEqual(["c", "b", "a"]);
  expect((await list("status=failed")).ids).toEqual(["b"]);
  expect((await list("agent_id=greeter")).ids).toEqual(["c"]);
  expect((await list("thread_id=t")).ids).toEqual(["b", "a"]);
  const first = await list("limit=2");
  expect(await list(`limit=2&before=${String(first.next)}`)).toEqual({ ids: ["a"], next: null });
  expect((await cluster.client.get("/api/runs?status=done")).body.code).toBe("INVALID_REQUEST");
});

test("runs that a run delegated are listed by its id, and a client cannot say that its run is one of them", async () => {
  await using cluster = await startCluster({ runner: false });
  const parent = await cluster.client.begin("hello");
  const claimed = await cluster.client.post("/api/chat/async", {
    agent_id: "assistant",
    message: "hello",
    parent_run_id: parent,
  });
  const child = await enqueue(cluster.engine, { parentRunId: parent });

  const { body } = await cluster.client.get(`/api/runs?parent_run_id=${parent}`);

  expect(body).toMatchObject({ runs: [{ run_id: child.run_id, parent_run_id: parent }], next: null });
  expect(claimed.body).toMatchObject({ code: "INVALID_REQUEST", detail: expect.stringContaining("parent_run_id") });
  const top = await cluster.client.get("/api/runs?top_level=true");
  expect(top.body).toMatchObject({ runs: [{ run_id: parent }], next: null });
  expect((await cluster.client.get("/api/runs?top_level=yes")).body).toMatchObject({ code: "INVALID_REQUEST" });
  expect((await cluster.client.get("/api/runs?parent_run_id=nobody")).body).toEqual({ runs: [], next: null });
});

test("events come as JSON in pages, and as SSE with the same content byte for byte", async () => {
  await using cluster = await startCluster();
  await cluster.client.chat("/sim tokens=40 rate=400", { run_id: "mine" });
  const first = await cluster.client.get("/api/runs/mine/events?limit=3");
  const rest = await cluster.client.get(`/api/runs/mine/events?after=${String(first.body["next"])}&limit=500`);
  const pages = [first, rest].flatMap(({ body }) => body["events"] as object[]);

  const streamed = await readAll(await cluster.client.follow("mine"));

  expect(first.body["next"]).toBe(3);
  expect(rest.body["next"]).toBeNull();
  expect(streamed.map(({ data }) => data)).toEqual(pages.map((event) => JSON.stringify(event)));
});

test.each([
  ["Last-Event-ID", (id: number) => ({ headers: { "Last-Event-ID": String(id) }, query: "" })],
  ["after", (id: number) => ({ headers: {}, query: `?after=${id}` })],
  ["Last-Event-ID before after", (id: number) => ({ headers: { "Last-Event-ID": String(id) }, query: "?after=1" })],
])("a stream resumes by %s wherever it broke, with nothing lost and nothing twice", async (_name, resume) => {
  await using cluster = await startCluster();
  const runId = await cluster.client.begin("/sim tokens=30 rate=100");
  const seen: string[] = [];

  // Disconnects after every seventh event, in the middle of the run and after it.
  for (let last = 0, ended = false; !ended;) {
    const { headers, query } = resume(last);
    const response = await cluster.client.follow(runId, last === 0 ? {} : headers, last === 0 ? "" : query);
    for await (const { id, data, event } of readSse(response, last)) {
      seen.push(data);
      last = id;
      ended = event.type === "RUN_FINISHED";
      if (id % 7 === 0) break;
    }
  }

  const journal = await cluster.client.events(runId);
  expect(problemsOf(journal)).toEqual([]);
  expect(seen).toEqual(journal.map((event) => JSON.stringify(event)));
  expect(textIn(journal)).toBe((await cluster.client.get(`/api/runs/${runId}`)).body.reply);
});

test("readers that come at any moment of a run all see all of it", async () => {
  await using cluster = await startCluster();
  const runId = await cluster.client.begin("/sim tokens=60 rate=150");
  const readers = [readAll(await cluster.client.follow(runId))];

  for await (const { id } of readSse(await cluster.client.follow(runId))) {
    if (id % 3 === 0) readers.push(readAll(await cluster.client.follow(runId)));
  }

  const journal = (await cluster.client.events(runId)).map((event) => JSON.stringify(event));
  expect(readers.length).toBeGreaterThan(5);
  for (const seen of await Promise.all(readers)) expect(seen.map(({ data }) => data)).toEqual(journal);
});

test("an EventSource that has everything is told not to come back", async () => {
  await using cluster = await startCluster();
  await cluster.client.chat("/sim tokens=1", { run_id: "mine" });
  const last = (await cluster.client.events("mine")).length;

  const { status } = await cluster.client.follow("mine", { "Last-Event-ID": String(last) });

  expect(status).toBe(204);
});

test("canceling a queued run ends it at once, and again changes nothing", async () => {
  await using cluster = await startCluster({ runner: false });
  const runId = await cluster.client.begin("hello");

  const first = await cluster.client.post(`/api/runs/${runId}/cancel`);
  const second = await cluster.client.post(`/api/runs/${runId}/cancel`);

  expect(first).toMatchObject({ status: 200, body: { status: "canceled" } });
  expect(second.body).toEqual(first.body);
  const events = await cluster.client.events(runId);
  expect(problemsOf(events)).toEqual([]);
  expect(events.at(-1)).toMatchObject({ outcome: { type: "cancelled" } });
  await cluster.startRunner();
  expect(cluster.simulator.stats().requests).toBe(0);
});

test("canceling a running run closes the model's socket within a second and ends the stream", async () => {
  await using cluster = await startCluster();
  const response = await cluster.client.stream(SLOW, { run_id: "mine" });
  const canceledAt = Promise.withResolvers<number>();
  const events = [];
  for await (const { event } of readSse(response)) {
    events.push(event);
    if (event.type !== "TEXT_MESSAGE_CONTENT" || events.some(({ type }) => type === "CANCELED")) continue;
    canceledAt.resolve(Date.now());
    expect((await cluster.client.post("/api/runs/mine/cancel")).status).toBeOneOf([200, 202]);
  }

  expect(problemsOf(events)).toEqual([]);
  expect(events.at(-1)).toMatchObject({ type: "RUN_FINISHED", outcome: { type: "cancelled" } });
  await vi.waitFor(() => expect(cluster.simulator.stats().recent[0]).toMatchObject({ ended: "aborted" }));
  const closedAt = cluster.simulator.stats().recent[0]?.closed_at ?? Infinity;
  expect(closedAt - (await canceledAt.promise)).toBeLessThan(1_000);
  expect(cluster.simulator.stats().requests).toBe(1);
});

test("canceling at any moment of a run ends it exactly once, with every call closed", async () => {
  await using cluster = await startCluster();
  const message = '/sim ttft=5 thinking=3 rate=200 tokens=5 tool=calculate input={"expression":"1+1"}';
  const moments = Array.from({ length: 24 }, (_, index) => index + 1);

  await Promise.all(
    moments.map(async (moment) => {
      const runId = await cluster.client.begin(message);
      await readUntil(await cluster.client.follow(runId), ({ seq }) => seq >= moment).catch(() => []);
      await cluster.client.post(`/api/runs/${runId}/cancel`);
      await cluster.client.follow(runId).then((response) => response.text());
      expect(problemsOf(await cluster.client.events(runId))).toEqual([]);
    }),
  );

  await vi.waitFor(() => expect(cluster.simulator.stats().active).toBe(0), { timeout: 1_000 });
});

test("canceling a finished run shows it as it is", async () => {
  await using cluster = await startCluster();
  await cluster.client.chat("/sim tokens=1", { run_id: "mine" });

  const { status, body } = await cluster.client.post("/api/runs/mine/cancel");

  expect(status).toBe(200);
  expect(body).toMatchObject({ status: "completed", cancel_requested: false });
  expect(problemsOf(await cluster.client.events("mine"))).toEqual([]);
});

test("a waiting chat whose run is canceled by another is answered with that", async () => {
  await using cluster = await startCluster();
  const reply = cluster.client.chat(SLOW, { run_id: "mine" });
  await vi.waitFor(() => expect(cluster.simulator.stats().active).toBe(1));

  await cluster.client.post("/api/runs/mine/cancel");

  expect(await reply).toMatchObject({ status: 200, body: { run_id: "mine", status: "canceled", reply: null } });
});
