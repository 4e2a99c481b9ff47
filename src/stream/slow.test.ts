/**
 * D1, D2 and D3 as counts: a client that never reads costs a bounded amount of memory, is closed, and harms
 * no other client.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { z } from "zod";
import { defineTool } from "../agent/tools/tool.ts";
import { defineAgents } from "../core/agent.ts";
import { claimNext, delta, enqueue, stepOf } from "../engine/contract/setup.ts";
import type { Claim, Engine } from "../engine/engine.ts";
import { startCluster, type Cluster } from "../testing/cluster.ts";
import { inlineTools } from "../testing/inline-tools.ts";
import { SocketClient } from "../testing/socket.ts";
import { readAll } from "../testing/sse.ts";

const MUTE = 100;
const HEALTHY = 20;
const MAX_QUEUED_BYTES = 256 * 1024;
// The kernel takes some 4 MB for a client that does not read; the server would have to hold the rest.
const BIG_RUN = { events: 2_400, characters: 2 * 1024 };
const LIVE_EVENTS = 200;

test(`${MUTE} sockets that never read hold little and are closed with 1013; ${HEALTHY} others miss nothing`, async () => {
  await using cluster = await startCluster({ runner: false, settings: { slowClientMs: 1_500 } });
  const big = await bigRun(cluster.engine, BIG_RUN);
  // Check on the server's side, because a client that reads nothing does not see the close (one that reads on
  // does, see mute.test.ts).
  using close = vi.spyOn(WebSocket.prototype, "close");
  await using mutes = new Mutes();
  await mutes.open(MUTE, () => muteSocket(cluster, big));

  const peakBytes = await watchedByOthers(cluster, MUTE);

  expect(peakBytes).toBeLessThanOrEqual(MAX_QUEUED_BYTES);
  expect(close.mock.calls.map(([code]) => code)).toEqual(Array.from({ length: MUTE }, () => 1013));
  await vi.waitUntil(() => cluster.delivery.sockets.size === 0, { timeout: 5_000 });
  expect(cluster.delivery.meter.viewers.size).toBe(0);
});

test(`${MUTE} streams that never read hold little and are cut off; ${HEALTHY} others miss nothing`, async () => {
  await using cluster = await startCluster({ runner: false, settings: { slowClientMs: 1_500 } });
  const big = await bigRun(cluster.engine, BIG_RUN);
  await using mutes = new Mutes();
  await mutes.open(MUTE, () => muteStream(cluster, big));

  const peakBytes = await watchedByOthers(cluster, MUTE);

  expect(peakBytes).toBeLessThanOrEqual(MAX_QUEUED_BYTES);
  await vi.waitUntil(() => cluster.delivery.streams.size === 0, { timeout: 5_000 });
  expect(cluster.delivery.meter.viewers.size).toBe(0);
});

// A thousand of them are in `bench/slow.ts`: what the kernel takes for each is 4 MB.
const TRIALS = 200;
const AT_ONCE = 25;
// One event that alone fills a socket, because many small ones take longer to read.
const HUGE_EVENT = { events: 1, characters: 5 * 1024 * 1024 };

test(`nothing is left of ${TRIALS} clients that go while their streams are full`, async () => {
  await using cluster = await startCluster({ runner: false });
  const big = await bigRun(cluster.engine, HUGE_EVENT);
  const { meter, streams } = cluster.delivery;
  let full = 0;

  for (let trial = 0; trial < TRIALS; trial += AT_ONCE) {
    await using mutes = new Mutes();
    await mutes.open(AT_ONCE, () => muteStream(cluster, big));
    await vi.waitUntil(() => fullOnes(cluster) === AT_ONCE, { timeout: 10_000, interval: 1 });
    full += fullOnes(cluster);
    for (const [index, socket] of mutes.streams.entries()) {
      if (index % 2) socket.resetAndDestroy();
      else socket.destroy();
    }
    await vi.waitUntil(() => streams.size === 0, { timeout: 10_000, interval: 1 });
  }

  expect(full).toBe(TRIALS);
  expect([meter.outflows.size, meter.viewers.size, cluster.server.inFlight]).toEqual([0, 0, 0]);
});

function fullOnes({ delivery }: Cluster): number {
  return [...delivery.meter.outflows].filter((outflow) => outflow.full).length;
}

// Ten megabytes in all, far more than the kernel takes.
const LONG_ANSWERS = 100;
const LONG_ANSWER = "x".repeat(100 * 1024);

test("a run whose tools answer at length goes on to its end while viewers of it are full, and stay so", async () => {
  const bothFull = Promise.withResolvers<void>();
  const input = z.object({});
  const long = defineTool({ description: "Answers at length.", input, run: () => LONG_ANSWER });
  const last = defineTool({ description: "Answers late.", input, run: () => bothFull.promise.then(() => LONG_ANSWER) });
  await using cluster = await startCluster({
    contextTokens: LONG_ANSWERS * LONG_ANSWER.length,
    tools: inlineTools({ long, last }),
    agents: defineAgents({
      assistant: { model: "simulated", tools: ["long", "last"], maxTokens: 100_000, limits: { maxSteps: 200 } },
    }),
  });
  await using mutes = new Mutes();
  const runId = await cluster.client.begin(`/sim ttft=50 ${"tool=long ".repeat(LONG_ANSWERS)} tool=last`);
  await mutes.open(1, () => muteSocket(cluster, runId));
  await mutes.open(1, () => muteStream(cluster, runId));
  const reading = cluster.client.follow(runId).then((response) => readAll(response));

  await vi.waitUntil(() => fullOnes(cluster) === 2, { timeout: 10_000 });
  bothFull.resolve();
  const read = await reading;

  expect(read.at(-1)?.event).toMatchObject({ type: "RUN_FINISHED", outcome: { type: "success" } });
  expect(read.filter(({ event }) => event.type === "TOOL_CALL_RESULT")).toHaveLength(LONG_ANSWERS + 1);
  expect(fullOnes(cluster)).toBe(2);
});

/**
 * Healthy viewers see a whole live run while the mutes are stuck; then the mutes are closed. @returns the
 * most bytes that one connection held
 */
async function watchedByOthers(cluster: Cluster, mutes: number): Promise<number> {
  const { engine, delivery, client } = cluster;
  const { meter } = delivery;
  const claim = await liveRun(engine);
  const { run_id: runId } = claim.run;
  const reading = Array.from({ length: HEALTHY / 2 }, async () => [
    await readAll(await client.follow(runId)),
    await readSocket(cluster, runId),
  ]);
  let peakBytes = 0;
  const look = () => (peakBytes = Math.max(peakBytes, ...[...meter.outflows].map(({ queuedBytes }) => queuedBytes)));
  for (let count = 0; count < LIVE_EVENTS; count += 1) {
    await engine.append(stepOf(claim, { events: [delta(`${count}`)] }));
    look();
  }
  await engine.settle(stepOf(claim), { status: "completed", reply: "done" });
  const journal = await client.events(runId);
  for (const seen of (await Promise.all(reading)).flat()) {
    expect(seen.map(({ event }) => event)).toEqual(journal);
  }
  expect(journal.length).toBeGreaterThan(LIVE_EVENTS);
  const letGo = () => (look(), meter.read()["closed_as_slow"] === mutes);
  await vi.waitUntil(letGo, { timeout: 15_000, interval: 5 });
  expect(peakBytes).toBeGreaterThan(0);
  return peakBytes;
}

async function readSocket({ client }: Cluster, runId: string) {
  await using socket = await SocketClient.connect(client.url);
  return await socket.readRun(runId);
}

/** A finished run with more bytes than any socket takes. */
async function bigRun(engine: Engine, { events, characters }: { events: number; characters: number }): Promise<string> {
  const claim = await liveRun(engine);
  const text = "x".repeat(characters);
  for (let count = 0; count < events; count += 50) {
    const length = Math.min(50, events - count);
    await engine.append(stepOf(claim, { events: Array.from({ length }, () => delta(text)) }));
  }
  await engine.settle(stepOf(claim), { status: "completed", reply: "done" });
  return claim.run.run_id;
}

async function liveRun(engine: Engine): Promise<Claim> {
  await enqueue(engine);
  return claimNext(engine);
}

async function muteSocket({ client }: Cluster, runId: string): Promise<SocketClient> {
  const socket = await SocketClient.connect(client.url);
  socket.tcp.pause();
  socket.send({ op: "subscribe", channel: "run", run_id: runId });
  return socket;
}

async function muteStream({ port }: Cluster, runId: string): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {}).pause();
  await once(socket, "connect");
  socket.write(`GET /api/runs/${runId}/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`);
  return socket;
}

/** Clients that never read; they are closed when the test ends. */
class Mutes implements AsyncDisposable {
  readonly sockets: SocketClient[] = [];
  readonly streams: Socket[] = [];

  async open(count: number, open: () => Promise<SocketClient | Socket>): Promise<void> {
    const opened = await Promise.all(Array.from({ length: count }, open));
    for (const mute of opened) {
      if (mute instanceof SocketClient) this.sockets.push(mute);
      else this.streams.push(mute);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stream of this.streams) stream.destroy();
    for (const { tcp } of this.sockets) tcp.destroy();
  }
}
