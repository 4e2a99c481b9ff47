/** What happens when a process of the tree is killed. Real processes, SIGKILL, read from the client's side only. */
import { existsSync } from "node:fs";
import { open } from "node:fs/promises";
import { expect, test, vi } from "vitest";
import { problemsOf, textIn } from "./testing/journal.ts";
import { aliveOf, descendantsOf } from "./testing/processes.ts";
import { makePlace, Server, startServer } from "./testing/server.ts";
import { readAll, readSse, readUntil, type SseEvent } from "./testing/sse.ts";
import { STORAGES, storages } from "./testing/storages.ts";

const { environment } = storages();

test("a killed worker is replaced within a second, and the others serve meanwhile", async () => {
  await using server = await startServer();
  const [victim] = await server.processes("worker");
  process.kill(victim?.pid ?? 0, "SIGKILL");
  const killedAt = performance.now();

  await vi.waitFor(
    async () => {
      const workers = await server.processes("worker");
      expect(workers.map(({ state }) => state)).toEqual(["ready", "ready"]);
      expect(workers.map(({ pid }) => pid)).not.toContain(victim?.pid);
      expect(workers.map(({ restarts }) => restarts)).toEqual([1, 0]);
    },
    { timeout: 5_000, interval: 20 },
  );

  expect(performance.now() - killedAt).toBeLessThan(2_500);
  const answers = await Promise.all(Array.from({ length: 40 }, () => server.client.get("/health")));
  expect(answers.every(({ status }) => status === 200)).toBe(true);
});

test.skipIf(!existsSync("/dev/full"))(
  "a log that cannot be written loses lines, and neither supervision nor the way to stop",
  async () => {
    await using full = await open("/dev/full", "w");
    await using server = await startServer({ output: full.fd });
    const [victim] = await server.processes("worker");

    process.kill(victim?.pid ?? 0, "SIGKILL");

    await vi.waitFor(
      async () => expect((await server.processes("worker")).map(({ restarts }) => restarts)).toEqual([1, 0]),
      { timeout: 5_000 },
    );
    server.kill("SIGTERM");
    expect(await server.exitCode()).toBe(0);
  },
);

test.each(STORAGES)("a run whose agent is killed goes on, and a reader stays connected, on %s", async (storage) => {
  await using server = await startServer({ env: { ...(await environment(storage)), AGENTS: "2" } });
  const runId = await server.client.begin("/sim tokens=60 rate=60");
  let killedAt = 0;
  let resumedMs = Infinity;
  const events = [];

  for await (const { event } of readSse(await server.client.follow(runId))) {
    events.push(event);
    if (event.name === "evenkeel.claimed" && killedAt > 0) resumedMs = performance.now() - killedAt;
    if (event.type !== "TEXT_MESSAGE_CONTENT" || killedAt > 0) continue;
    killedAt = performance.now();
    process.kill(ownerPid(events), "SIGKILL");
  }

  expect(problemsOf(events)).toEqual([]);
  expect(events.at(-1)).toMatchObject({ type: "RUN_FINISHED", outcome: { type: "success" } });
  const attempts = events.filter(({ name }) => name === "evenkeel.attempt");
  const partial = events.find(({ type }) => type === "TEXT_MESSAGE_START")?.messageId;
  expect(attempts.map(({ value }) => value)).toEqual([
    { of: "run", attempt: 2, reason: "its process died", void: [partial] },
  ]);
  const { body: run } = await server.client.get(`/api/runs/${runId}`);
  expect(textIn(events)).toBe(run.reply);
  expect(run).toMatchObject({ status: "completed", attempts: 2 });
  expect(resumedMs).toBeLessThan(1_000);
});

test("a run whose agent is killed while it waits for another goes on waiting for that one", async () => {
  await using server = await startServer({ env: { AGENTS: "2" } });
  const work = JSON.stringify({ agent_id: "assistant", message: "/sim tokens=40 rate=40" });
  const runId = await server.client.begin(`/sim tool=delegate input=${work}`, { agent_id: "planner" });
  const events = [];
  let killed = false;

  for await (const { event } of readSse(await server.client.follow(runId))) {
    events.push(event);
    if (event.name !== "evenkeel.waiting" || killed) continue;
    killed = true;
    process.kill(ownerPid(events), "SIGKILL");
  }

  expect(problemsOf(events)).toEqual([]);
  expect(events.at(-1)).toMatchObject({ type: "RUN_FINISHED", outcome: { type: "success" } });
  expect((await server.client.get(`/api/runs/${runId}`)).body).toMatchObject({ status: "completed", attempts: 2 });
  const { body } = await server.client.get(`/api/runs?parent_run_id=${runId}`);
  expect(body["runs"]).toMatchObject([{ agent_id: "assistant", status: "completed" }]);
  const waits = events.filter(({ name }) => name === "evenkeel.waiting");
  expect(waits.map(({ value }) => (value as { run_id: string }).run_id)).toEqual([
    (body["runs"] as { run_id: string }[])[0]?.run_id,
    (body["runs"] as { run_id: string }[])[0]?.run_id,
  ]);
});

test.each(STORAGES)("a stream whose worker is killed goes on at another from the last id, on %s", async (storage) => {
  await using server = await startServer({ env: await environment(storage) });
  const runId = await server.client.begin("/sim tokens=60 rate=60");
  const seen: SseEvent[] = [];

  const killAt = new Set([10, 20]);

  while (seen.at(-1)?.event.type !== "RUN_FINISHED") {
    await readOn(server, { runId, seen, onEvent: () => killAt.delete(seen.length) && killWorkers(server) });
  }

  expect(killAt.size).toBe(0);
  // After the second kill the rest may have come from a buffer, and then no worker listens yet.
  await vi.waitFor(
    async () => expect((await server.processes("worker")).map(({ state }) => state)).toEqual(["ready", "ready"]),
    { timeout: 10_000 },
  );
  const journal = await server.client.events(runId);
  expect(problemsOf(journal)).toEqual([]);
  expect(seen.map(({ data }) => data)).toEqual(journal.map((event) => JSON.stringify(event)));
  expect(await server.client.get(`/api/runs/${runId}`)).toMatchObject({ body: { status: "completed", attempts: 1 } });
});

test("a killed simulator comes back where the agents look for it", async () => {
  await using server = await startServer();
  const [victim] = await server.processes("simulator");
  process.kill(victim?.pid ?? 0, "SIGKILL");

  const { body } = await server.client.chat("/sim tokens=2");

  expect(body.reply).toBe("tok1 tok2");
});

test.each(STORAGES)(
  "a killed primary takes its children along, and the next finishes its run, on %s",
  async (storage) => {
    await using place = await makePlace();
    const env = await environment(storage);
    const first = new Server(place, { env });
    await first.ready();
    const runId = await first.client.begin("/sim tokens=40 rate=40");
    const seen = await readUntil(await first.client.follow(runId), ({ type }) => type === "TEXT_MESSAGE_CONTENT");
    const children = descendantsOf(first.pid);
    expect(children.length).toBeGreaterThanOrEqual(4);

    first.kill("SIGKILL");
    await first.exited;
    await vi.waitFor(() => expect(aliveOf(children)).toEqual([]), { timeout: 3_000, interval: 50 });

    await using second = await new Server(place, { env }).ready();
    const last = seen.at(-1)?.id ?? 0;
    const rest = await readAll(await second.client.follow(runId, { "Last-Event-ID": String(last) }), last);
    const events = [...seen, ...rest].map(({ event }) => event);
    expect(problemsOf(events)).toEqual([]);
    expect(events.at(-1)).toMatchObject({ type: "RUN_FINISHED", outcome: { type: "success" } });
    const { body } = await second.client.get("/info");
    expect(body["engine"]).toMatchObject({ runs: { queued: 0, running: 0 } });
  },
);

test("a primary that is killed while a child boots takes that one along as well", async () => {
  for (let trial = 0; trial < 5; trial += 1) {
    await using place = await makePlace();
    const server = await new Server(place).ready();
    const [agent] = await server.processes("agent");
    const before = descendantsOf(server.pid);
    process.kill(agent?.pid ?? 0, "SIGKILL");
    // Its replacement is forked at once, and takes a while to boot.
    const booting = await vi.waitUntil(() => descendantsOf(server.pid).find((pid) => !before.includes(pid)), {
      timeout: 5_000,
      interval: 5,
    });

    server.kill("SIGKILL");

    await vi.waitFor(() => expect(aliveOf([...before, booting])).toEqual([]), { timeout: 5_000, interval: 50 });
    await server.exited;
  }
}, 60_000);

test("a worker that hangs is killed and replaced, and so is one that the system stopped", async () => {
  await using server = await startServer({ env: { STALL_MS: "2000", WORKERS: "2" } });
  const [victim] = await server.processes("worker");
  process.kill(victim?.pid ?? 0, "SIGSTOP");

  await vi.waitFor(
    async () => {
      const answer = await server.client.ask("/api/workers", { signal: AbortSignal.timeout(300) });
      const workers = answer.body["processes"] as { kind: string; id: number; pid: number; state: string }[];
      expect(workers.find(({ kind, id }) => kind === "worker" && id === victim?.id)).toMatchObject({ state: "ready" });
      expect(workers.map(({ pid }) => pid)).not.toContain(victim?.pid);
    },
    { timeout: 20_000, interval: 50 },
  );

  expect(aliveOf([victim?.pid ?? 0])).toEqual([]);
});

test("after a worker and an agent died every worker shows the same past, with a mark for each death", async () => {
  await using server = await startServer();
  const victims = [...(await server.processes("worker")).slice(0, 1), ...(await server.processes("agent"))];
  for (const { pid } of victims) process.kill(pid ?? 0, "SIGKILL");
  const all = async () => [...(await server.processes("worker")), ...(await server.processes("agent"))];
  await vi.waitFor(
    async () => {
      expect((await all()).map(({ state }) => state)).toEqual(["ready", "ready", "ready"]);
      expect((await all()).map(({ restarts }) => restarts)).toEqual([1, 0, 1]);
    },
    { timeout: 20_000 },
  );

  // Each new connection is accepted by one of the two workers.
  const pasts = await Promise.all(Array.from({ length: 8 }, () => pastOf(server)));

  for (const { marks } of pasts) {
    expect(marks.map(({ type, process: name }) => `${type} of ${name}`).toSorted()).toEqual([
      "death of agent 1",
      "death of worker 1",
    ]);
  }
  expect(new Set(pasts.map(({ oldest }) => oldest)).size).toBe(1);
});

/** The data that a newly opened browser shows: the oldest snapshot, and the marks of the newest. */
async function pastOf(server: Server) {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/ws`);
  const snapshots: { seq: number; marks: { type: string; process: string | null }[] }[] = [];
  socket.addEventListener("open", () =>
    socket.send(JSON.stringify({ op: "subscribe", id: "p", channel: "processes", after: 0 })),
  );
  socket.addEventListener("message", ({ data }) => {
    const { event } = JSON.parse(String(data)) as { event?: (typeof snapshots)[number] };
    if (event) snapshots.push(event);
  });
  const isLive = () => snapshots.length > 1 && snapshots.at(-1)?.marks.length === 2;
  await vi.waitFor(() => expect(isLive()).toBe(true), { timeout: 10_000 });
  socket.close();
  return { oldest: snapshots[0]?.seq, marks: snapshots.at(-1)?.marks ?? [] };
}

/** Resumes a stream from the last event seen, until it ends or the connection breaks. */
async function readOn(
  { client }: Server,
  { runId, seen, onEvent }: { runId: string; seen: SseEvent[]; onEvent: () => unknown },
): Promise<void> {
  const last = seen.at(-1)?.id ?? 0;
  try {
    const response = await client.follow(runId, last > 0 ? { "Last-Event-ID": String(last) } : {});
    for await (const item of readSse(response, last)) {
      seen.push(item);
      await onEvent();
    }
  } catch (error) {
    // fetch throws a TypeError when a connection was cut, or when no worker listens yet.
    if (!(error instanceof TypeError)) throw error;
  }
}

async function killWorkers(server: Server): Promise<void> {
  for (const { pid } of await server.processes("worker")) if (pid !== null) process.kill(pid, "SIGKILL");
}

/** The pid in the owner's name of the last claim. */
function ownerPid(events: readonly { name?: string; value?: Readonly<Record<string, unknown>> }[]): number {
  const claim = events.findLast(({ name }) => name === "evenkeel.claimed");
  return Number(/(\d+)$/.exec(String(claim?.value?.["owner"]))?.[1]);
}
