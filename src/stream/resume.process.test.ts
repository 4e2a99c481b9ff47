/**
 * D4, D6 and D7: connections drop, workers are killed, history is deleted, and every client ends up with all
 * that exists.
 */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test, vi } from "vitest";
import { problemsOf, type ReadEvent } from "../testing/journal.ts";
import { seeded } from "../testing/random.ts";
import { ResumingViewer } from "../testing/resuming.ts";
import { makePlace, Server, startServer } from "../testing/server.ts";
import { SocketClient } from "../testing/socket.ts";

const STREAMS = 50;
const DROPS = 1_000;
const KILL_AT_DROPS: readonly number[] = [300, 650];

test(`after ${DROPS} drops of ${STREAMS} streams and two killed workers each client has the exact journal`, async () => {
  await using server = await startServer();
  // The runs go on until they are canceled, however long the drops take.
  const runIds = await beginRuns(server, { runs: STREAMS, message: "/sim tokens=10000 rate=40" });
  const viewers = runIds.map((runId, index) => viewerOf(server, runId, index));
  let drops = 0;
  const drop = async (viewer: ResumingViewer, index: number) => {
    const random = seeded(index);
    for (let left = DROPS / STREAMS; left > 0;) {
      let stay = 1 + random(3);
      const outcome = await viewer.readOn(() => (stay -= 1) <= 0);
      if (outcome !== "left") continue;
      left -= 1;
      drops += 1;
      if (KILL_AT_DROPS.includes(drops)) await killOneWorker(server);
    }
  };

  await Promise.all(viewers.map(drop));
  await Promise.all(runIds.map((runId) => server.client.post(`/api/runs/${runId}/cancel`)));
  await Promise.all(viewers.map(watchToTheEnd));

  expect(drops).toBe(DROPS);
  expect(viewers.reduce((cuts, viewer) => cuts + viewer.cuts, 0)).toBeGreaterThan(0);
  for (const [index, viewer] of viewers.entries()) await expectAllSeen(server, runIds[index] ?? "", [viewer]);
});

const CLIENTS = 1_000;
const WATCHED_RUNS = 10;
const RESUMED_MS = 10_000;

test(`${CLIENTS} clients that lose their workers at once all resume, without a hole or a repeat`, async () => {
  await using server = await startServer();
  // The runs go on until they are canceled, however long the clients take to connect and to reconnect.
  const runIds = await beginRuns(server, { runs: WATCHED_RUNS, message: "/sim tokens=10000 rate=20" });
  const runIdOf = (index: number) => runIds[index % WATCHED_RUNS] ?? "";
  const viewers = Array.from({ length: CLIENTS }, (_, index) => viewerOf(server, runIdOf(index), index));

  const watching = Promise.all(viewers.map(watchToTheEnd));
  await vi.waitUntil(() => viewers.every(({ seen }) => seen.length > 0), { timeout: 15_000 });
  for (const { pid } of await server.processes("worker")) process.kill(pid ?? 0, "SIGKILL");
  await vi.waitUntil(() => viewers.every(({ cuts }) => cuts > 0), { timeout: 10_000 });
  const before = viewers.map(({ seen }) => seen.length);
  const haveResumed = () => viewers.every(({ seen }, index) => seen.length > (before[index] ?? 0));
  await vi.waitUntil(haveResumed, { timeout: RESUMED_MS });
  await Promise.all(runIds.map((runId) => server.client.post(`/api/runs/${runId}/cancel`)));
  await watching;

  for (const [index, runId] of runIds.entries()) {
    const watchers = viewers.filter((_, number) => number % WATCHED_RUNS === index);
    const journal = await expectAllSeen(server, runId, watchers);
    expect(journal.at(-1)).toMatchObject({ type: "RUN_FINISHED", outcome: { type: "cancelled" } });
  }
}, 60_000);

test("history that is gone is told as a gap, to a stream and to a socket, and what is left follows", async () => {
  await using place = await makePlace();
  await using server = await new Server(place).ready();
  const { body } = await server.client.chat("/sim tokens=3", { run_id: "mine" });
  const whole = await server.client.events("mine");
  using storage = new DatabaseSync(join(place.dataDir, "evenkeel.db"), { timeout: 5_000 });
  storage.exec("DELETE FROM events WHERE seq <= 5");
  const left = whole.map(({ seq }) => seq).filter((seq) => seq > 5);

  const stream = await (await server.client.follow("mine", { "Last-Event-ID": "1" })).text();
  await using socket = await SocketClient.connect(server.client.url);
  const frames = await socket.readRun("mine", 1);

  expect(body.status).toBe("completed");
  const [gap, ...rest] = stream.trimEnd().split("\n\n");
  expect(gap).toBe('data: {"type":"CUSTOM","name":"evenkeel.gap","value":{"after":1,"next":6}}');
  expect(rest.map((block) => Number(/^id: (\d+)/.exec(block)?.[1]))).toEqual(left);
  expect(frames.map(({ seq, event }) => seq ?? event?.["value"])).toEqual([{ after: 1, next: 6 }, ...left]);
});

async function watchToTheEnd(viewer: ResumingViewer): Promise<void> {
  while (!viewer.ended) await viewer.readOn(() => false);
}

function beginRuns(server: Server, { runs, message }: { runs: number; message: string }): Promise<string[]> {
  return Promise.all(Array.from({ length: runs }, () => server.client.begin(message)));
}

/** Every second client reads over SSE, the others over the WebSocket. */
function viewerOf({ client }: Server, runId: string, index: number): ResumingViewer {
  return new ResumingViewer({ client, runId, transport: Math.floor(index / WATCHED_RUNS) % 2 ? "sse" : "socket" });
}

async function killOneWorker(server: Server): Promise<void> {
  const [victim] = (await server.processes("worker")).filter(({ state }) => state === "ready");
  process.kill(victim?.pid ?? 0, "SIGKILL");
}

async function expectAllSeen(
  server: Server,
  runId: string,
  viewers: readonly ResumingViewer[],
): Promise<readonly ReadEvent[]> {
  const journal = await server.client.events(runId);
  expect(problemsOf(journal)).toEqual([]);
  const lines = journal.map((event) => JSON.stringify(event));
  for (const { seen } of viewers) expect(seen).toEqual(lines);
  return journal;
}
