import { once } from "node:events";
import { expect, test, vi } from "vitest";
import type { Engine } from "../../engine/engine.ts";
import { startCluster } from "../../testing/cluster.ts";
import { SocketClient } from "../../testing/socket.ts";

test("a run is watched from its first event to its last, and the subscription ends with it", async () => {
  await using cluster = await startCluster();
  await using socket = await SocketClient.connect(cluster.client.url);
  const runId = await cluster.client.begin("/sim tokens=20 rate=200");

  const frames = await socket.readRun(runId);

  expect(frames.map(({ event }) => event)).toEqual(await cluster.client.events(runId));
  expect(frames.map(({ seq }) => seq)).toEqual(frames.map(({ event }) => event?.seq));
});

test("many runs, the activities and the processes share one socket, each under its own id", async () => {
  await using cluster = await startCluster();
  await using socket = await SocketClient.connect(cluster.client.url);
  const feed = socket.send({ op: "subscribe", channel: "activities" });
  await socket.answerTo(feed);
  const processes = await socket.ask({ op: "subscribe", channel: "processes" });
  const runIds = await Promise.all(Array.from({ length: 20 }, () => cluster.client.begin("/sim tokens=5")));

  const runs = await Promise.all(runIds.map((runId) => socket.readRun(runId)));
  cluster.delivery.feeds.processes.take({
    seq: 7,
    at: Date.now(),
    machine: "here",
    machines: [],
    processes: [],
    marks: [],
    advice: [],
  });
  const snapshot = await socket.until(({ id, event }) => id === processes.id && event !== undefined);

  for (const [index, frames] of runs.entries())
    expect(frames.map(({ event }) => event)).toEqual(await cluster.client.events(runIds[index] ?? ""));
  await vi.waitFor(() => {
    const ended = socket.eventsOf(feed).filter(({ event }) => event?.type === "run.completed");
    expect(new Set(ended.map(({ event }) => event?.["run_id"]))).toEqual(new Set(runIds));
  });
  expect(snapshot).toMatchObject({ seq: 7, event: { seq: 7, processes: [] } });
});

test("a chat over the socket makes a run, and sent again under its run_id it is the same run", async () => {
  await using cluster = await startCluster();
  await using socket = await SocketClient.connect(cluster.client.url);
  const chat = { op: "chat", agent_id: "assistant", message: "Hello", run_id: "mine" };

  const first = await socket.ask(chat);
  const second = await socket.ask(chat);

  expect(first).toMatchObject({ ok: true, run_id: "mine", agent_id: "assistant", status: "queued", created: true });
  expect(second).toMatchObject({ ok: true, run_id: "mine", thread_id: first["thread_id"], created: false });
  const frames = await socket.readRun("mine");
  expect(frames.at(-1)?.event).toMatchObject({ type: "RUN_FINISHED", outcome: { type: "success" } });
});

test("a run is canceled over the socket, and canceled again it stays as it is", async () => {
  await using cluster = await startCluster();
  await using socket = await SocketClient.connect(cluster.client.url);
  const runId = await cluster.client.begin("/sim tokens=2000 rate=20");
  const watched = socket.readRun(runId);

  expect(await socket.ask({ op: "cancel", run_id: runId })).toMatchObject({ ok: true, run_id: runId });

  expect((await watched).at(-1)?.event).toMatchObject({ type: "RUN_FINISHED", outcome: { type: "cancelled" } });
  expect(await socket.ask({ op: "cancel", run_id: runId })).toMatchObject({ ok: true, status: "canceled" });
});

test("a socket that comes back resumes where it was, without a hole and without a repeat", async () => {
  await using cluster = await startCluster();
  const runId = await cluster.client.begin("/sim tokens=60 rate=100");
  const seqs: (number | undefined)[] = [];
  for (let drops = 0; drops < 5; drops += 1) {
    await using socket = await SocketClient.connect(cluster.client.url);
    const id = socket.send({ op: "subscribe", channel: "run", run_id: runId, after: seqs.at(-1) ?? 0 });
    await socket.until((frame) => frame.id === id && frame.event !== undefined);
    socket.ws.terminate();
    seqs.push(...socket.eventsOf(id).map(({ seq }) => seq));
  }
  await using last = await SocketClient.connect(cluster.client.url);

  seqs.push(...(await last.readRun(runId, seqs.at(-1))).map(({ seq }) => seq));

  expect(seqs).toEqual((await cluster.client.events(runId)).map(({ seq }) => seq));
});

test("activities resume above `after`, and without it begin now", async () => {
  await using cluster = await startCluster();
  await cluster.client.chat("Hello");
  await using socket = await SocketClient.connect(cluster.client.url);

  const all = socket.send({ op: "subscribe", channel: "activities", after: 0 });
  const live = await socket.ask({ op: "subscribe", channel: "activities" });
  await cluster.client.post("/api/activities", { role: "ops", content: "Deployed." });
  await socket.until(({ id, event }) => id === live.id && event !== undefined);
  await socket.until(({ id, event }) => id === all && event?.type === "notice");

  const seqs = socket.eventsOf(all).map(({ seq }) => seq);
  const feed = await cluster.client.get("/api/activities");
  expect(seqs).toEqual((feed.body["activities"] as { seq: number }[]).map(({ seq }) => seq).toReversed());
  expect(socket.eventsOf(live.id ?? "").map(({ event }) => event?.type)).toEqual(["notice"]);
  expect(live.seq).toBe((seqs.at(-1) ?? 0) - 1);
});

test("an ended subscription sends nothing more, and its id is free", async () => {
  await using cluster = await startCluster();
  await using socket = await SocketClient.connect(cluster.client.url);
  const subscribe = { op: "subscribe", id: "feed", channel: "activities" };
  await socket.ask(subscribe);

  socket.ws.send(JSON.stringify({ op: "unsubscribe", id: "feed" }));
  await socket.until(({ id, ok, channel }) => id === "feed" && ok === true && channel === undefined);
  await cluster.client.chat("Hello");
  await cluster.client.post("/api/activities", { role: "ops", content: "after it" });

  expect(socket.eventsOf("feed")).toEqual([]);
  expect(cluster.delivery.meter.viewers.size).toBe(0);
  expect(await socket.ask({ ...subscribe, id: "feed", after: 0 })).toMatchObject({ ok: true, channel: "activities" });
});

test("a run that is over is done at once for whoever has all of it", async () => {
  await using cluster = await startCluster();
  const { body } = await cluster.client.chat("Hello");
  const last = (await cluster.client.events(body.run_id)).at(-1)?.seq ?? 0;
  await using socket = await SocketClient.connect(cluster.client.url);

  expect(await socket.readRun(body.run_id, last)).toEqual([]);
});

test("a reader of a run whose history is gone is told what is missing", async () => {
  await using cluster = await startCluster({
    wrapEngine: (engine) => forgetUpTo(engine, 4),
  });
  const { body } = await cluster.client.chat("Hello");
  await using socket = await SocketClient.connect(cluster.client.url);

  const [gap, next] = await socket.readRun(body.run_id, 1);

  expect(gap).toEqual({ id: "t1", event: { type: "CUSTOM", name: "evenkeel.gap", value: { after: 1, next: 5 } } });
  expect(next?.seq).toBe(5);
});

test("a reader is told of each hole in what is stored, wherever it is", async () => {
  await using cluster = await startCluster({ wrapEngine: (engine) => forget(engine, [2, 4, 5]) });
  const { body } = await cluster.client.chat("Hello");
  await using socket = await SocketClient.connect(cluster.client.url);

  const frames = await socket.readRun(body.run_id);

  const shown = frames.map(({ seq, event }) => seq ?? event?.["value"]).slice(0, 5);
  expect(shown).toEqual([1, { after: 1, next: 3 }, 3, { after: 3, next: 6 }, 6]);
});

test("a reader of a thread that is deleted meanwhile is told, and does not wait for ever", async () => {
  const gate = Promise.withResolvers<void>();
  await using cluster = await startCluster({
    wrapEngine: (engine) => {
      const events = engine.events.bind(engine);
      engine.events = async (...query) => (await gate.promise, events(...query));
      return engine;
    },
  });
  const { body } = await cluster.client.chat("Hello");
  await using socket = await SocketClient.connect(cluster.client.url);

  const id = socket.send({ op: "subscribe", channel: "run", run_id: body.run_id });
  await socket.answerTo(id);
  await cluster.engine.deleteThread(body.thread_id);
  gate.resolve();

  expect(await socket.until(({ error }) => error !== undefined)).toMatchObject({
    id,
    error: { code: "RUN_NOT_FOUND" },
  });
});

test("a worker that drains sends its sockets elsewhere", async () => {
  await using cluster = await startCluster();
  await using socket = await SocketClient.connect(cluster.client.url);

  cluster.letGo();

  expect(await socket.closed).toBe(1001);
});

test("nothing is left behind by clients that vanish, however many and whatever they watched", async () => {
  await using cluster = await startCluster();
  const runId = await cluster.client.begin("/sim tokens=200 rate=100");
  for (let trial = 0; trial < 50; trial += 1) {
    const socket = await SocketClient.connect(cluster.client.url);
    socket.send({ op: "subscribe", channel: "run", run_id: runId });
    if (trial % 2) await socket.ask({ op: "subscribe", channel: "activities" });
    socket.tcp.resetAndDestroy();
  }

  await vi.waitFor(() => {
    const { meter, sockets } = cluster.delivery;
    expect([sockets.size, meter.viewers.size, meter.outflows.size]).toEqual([0, 0, 0]);
  });
});

test("a client that pings is answered", async () => {
  await using cluster = await startCluster();
  await using socket = await SocketClient.connect(cluster.client.url);
  const pong = once(socket.ws, "pong");
  socket.ws.ping("hello");

  expect(String((await pong)[0])).toBe("hello");
});

function forget(engine: Engine, seqs: readonly number[]): Engine {
  const events = engine.events.bind(engine);
  engine.events = async (...query) => (await events(...query)).filter(({ seq }) => !seqs.includes(seq));
  return engine;
}

function forgetUpTo(engine: Engine, seq: number): Engine {
  const events = engine.events.bind(engine);
  engine.events = (runId, after, page) => events(runId, Math.max(after, seq), page);
  return engine;
}
