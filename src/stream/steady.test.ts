/** A slow client is not dead: a client that reads little, but steadily, gets everything. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { expect, test } from "vitest";
import { claimNext, delta, enqueue, stepOf } from "../engine/contract/setup.ts";
import type { Engine } from "../engine/engine.ts";
import { Client } from "../testing/client.ts";
import { startCluster } from "../testing/cluster.ts";
import { SocketClient } from "../testing/socket.ts";
import { readAll } from "../testing/sse.ts";

// Longer than a busy machine keeps this test from its cores.
const SLOW_CLIENT_MS = 1_000;
// The client reads 8 MB in that time, because the kernel takes some 1.5 MB in one go; the whole event takes
// four times as long.
const BYTES_PER_MS = 8_000;
const HUGE_EVENT = 32_000_000;

test.each([
  ["stream", async (client: Client, runId: string) => (await readAll(await client.follow(runId))).length],
  [
    "socket",
    async (client: Client, runId: string) => {
      await using socket = await SocketClient.connect(client.url);
      return (await socket.readRun(runId)).length;
    },
  ],
])("a %s that is read steadily but slowly is not closed in the middle of a large event", async (_, read) => {
  await using cluster = await startCluster({ runner: false, settings: { slowClientMs: SLOW_CLIENT_MS } });
  const runId = await hugeRun(cluster.engine);
  await using link = await slowLink(cluster.port);
  const startedAt = performance.now();

  const count = await read(new Client(link.url), runId);

  expect(performance.now() - startedAt).toBeGreaterThan(3 * SLOW_CLIENT_MS);
  expect(count).toBe(await cluster.engine.lastEvent(runId));
  expect(cluster.delivery.meter.read()["closed_as_slow"]).toBe(0);
});

/** A finished run with one event that takes many times SLOW_CLIENT_MS to read. */
async function hugeRun(engine: Engine): Promise<string> {
  const { run_id: runId } = await enqueue(engine);
  const claim = await claimNext(engine);
  await engine.append(stepOf(claim, { events: [delta("x".repeat(HUGE_EVENT))] }));
  await engine.settle(stepOf(claim), { status: "completed", reply: "done" });
  return runId;
}

interface Link extends AsyncDisposable {
  readonly url: string;
}

/** Passes the server's bytes on at BYTES_PER_MS, and the client's bytes at once. */
async function slowLink(port: number): Promise<Link> {
  const sockets: Socket[] = [];
  const server = createServer((client) => {
    const upstream = connect(port, "127.0.0.1");
    sockets.push(client, upstream);
    client.on("error", () => {}).on("close", () => upstream.destroy());
    upstream.on("error", () => {}).on("close", () => client.end());
    client.pipe(upstream);
    upstream.on("data", (bytes: Buffer) => {
      client.write(bytes);
      upstream.pause();
      setTimeout(() => upstream.resume(), bytes.length / BYTES_PER_MS);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const dispose = async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, [Symbol.asyncDispose]: dispose };
}
