import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { expect, test, vi } from "vitest";
import { AppError } from "../core/errors.ts";
import { startCluster, type Cluster } from "../testing/cluster.ts";
import { readAll } from "../testing/sse.ts";

// More than the kernel takes for a client that does not read.
const BIG = "/sim tokens=2 bigline=12000000";

test("a reader that stopped reading holds up neither its run nor the other readers", async () => {
  await using cluster = await startCluster();
  await using paused = await openPaused(cluster, BIG, "mine");

  const read = await readAll(await cluster.client.follow("mine"));

  expect(read.at(-1)?.event).toMatchObject({ type: "RUN_FINISHED", outcome: { type: "success" } });
  expect(paused.socket.destroyed).toBe(false);
  expect((await cluster.client.get("/api/runs/mine")).body.status).toBe("completed");
});

test("a reader that stops for a while and reads on misses nothing", async () => {
  await using cluster = await startCluster();
  await using paused = await openPaused(cluster, BIG, "mine");
  await readAll(await cluster.client.follow("mine"));

  const body = await paused.readToEnd();

  const seqs = [...body.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
  const journal = await cluster.client.events("mine");
  expect(seqs).toEqual(journal.map(({ seq }) => seq));
  for (const { seq, ...event } of journal)
    expect(body).toContain(`id: ${seq}\ndata: {"seq":${seq},"timestamp":${event.timestamp}`);
});

test("a reader that takes nothing for SLOW_CLIENT_MS is cut off in the middle of a run", async () => {
  await using cluster = await startCluster({ settings: { slowClientMs: 200 } });
  await using paused = await openPaused(cluster, `${BIG} ttft=100`, "mine");

  await vi.waitFor(() => expect(cluster.delivery.streams.size).toBe(0), { timeout: 5_000 });

  expect(paused.socket.isPaused()).toBe(true);
  expect(cluster.server.inFlight).toBe(0);
});

test("a reader that takes nothing of a finished run is cut off as well", async () => {
  await using cluster = await startCluster({ settings: { slowClientMs: 200 } });
  await cluster.client.chat(BIG, { run_id: "mine" });
  await using paused = await openPausedAt(
    cluster,
    "GET /api/runs/mine/events HTTP/1.1\r\nAccept: text/event-stream\r\n",
  );

  await vi.waitFor(() => expect(cluster.server.inFlight).toBe(0), { timeout: 3_000 });

  expect(paused.socket.isPaused()).toBe(true);
});

test("nothing of a stream is left behind once its client is gone, even in the middle of being full", async () => {
  await using cluster = await startCluster();
  await cluster.client.chat(BIG, { run_id: "mine" });
  for (let trial = 0; trial < 8; trial += 1) {
    await using paused = await openPausedAt(
      cluster,
      "GET /api/runs/mine/events HTTP/1.1\r\nAccept: text/event-stream\r\n",
    );
    paused.socket.destroy();
  }

  await vi.waitFor(() => expect([cluster.delivery.streams.size, cluster.server.inFlight]).toEqual([0, 0]));
});

test("a worker that lets go ends its streams, old and new, and what they did not show is still to be had", async () => {
  await using cluster = await startCluster();
  const runId = await cluster.client.begin("/sim tokens=30 rate=60");
  const before = readAll(await cluster.client.follow(runId));
  await vi.waitFor(async () => expect((await cluster.client.events(runId)).length).toBeGreaterThan(6));

  cluster.delivery.streams.stop();

  const shown = (await before).map(({ id }) => id);
  expect(await (await cluster.client.follow(runId, { "Last-Event-ID": String(shown.at(-1)) })).text()).toBe("");
  await vi.waitFor(async () => expect((await cluster.client.get(`/api/runs/${runId}`)).body.status).toBe("completed"));
  const journal = (await cluster.client.events(runId)).map(({ seq }) => seq);
  expect(shown).toEqual(journal.slice(0, shown.length));
  expect(journal.length).toBeGreaterThan(shown.length);
});

test("a stream whose journal cannot be read for a moment goes on when it can, and loses nothing", async () => {
  let failures = 0;
  await using cluster = await startCluster({
    wrapEngine: (engine) => {
      const events = engine.events.bind(engine);
      engine.events = async (...query) => {
        if ((failures += 1) <= 2) throw new AppError("STORAGE_UNAVAILABLE", "The disk is in trouble.");
        return events(...query);
      };
      return engine;
    },
  });

  const read = await readAll(await cluster.client.stream("/sim tokens=5"));

  expect(failures).toBeGreaterThan(2);
  expect(read.at(-1)?.event.type).toBe("RUN_FINISHED");
});

test("a stream that cannot be followed at first begins, whole, once it can", async () => {
  let failures = 0;
  await using cluster = await startCluster({
    wrapEngine: (engine) => {
      const follow = engine.follow.bind(engine);
      engine.follow = async (...call) => {
        failures += 1;
        if (failures < 3) throw new AppError("STORAGE_UNAVAILABLE", "The disk is in trouble.");
        return follow(...call);
      };
      return engine;
    },
  });

  const read = await readAll(await cluster.client.stream("/sim tokens=5"));

  expect(failures).toBe(3);
  expect(read.map(({ id }) => id)).toEqual(read.map((_, index) => index + 1));
  expect(read.at(-1)?.event.type).toBe("RUN_FINISHED");
  expect(cluster.delivery.meter.viewers.size).toBe(0);
});

interface Paused extends AsyncDisposable {
  readonly socket: Socket;
  /** Reads to the end. @returns the whole answer */
  readToEnd(): Promise<string>;
}

/** POST /api/chat/stream by a client that reads the head of the answer and then nothing more. */
async function openPaused(cluster: Cluster, message: string, runId: string): Promise<Paused> {
  const body = JSON.stringify({ agent_id: "assistant", message, run_id: runId });
  const head = `POST /api/chat/stream HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n`;
  return openPausedAt(cluster, head, body);
}

async function openPausedAt({ port }: Cluster, head: string, body = ""): Promise<Paused> {
  const socket = connect(port, "127.0.0.1");
  const chunks: Buffer[] = [];
  socket.on("error", () => {}).on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.write(`${head}Host: localhost\r\nConnection: close\r\n\r\n${body}`);
  await once(socket, "data");
  socket.pause();
  const readToEnd = async () => {
    const closed = once(socket, "close");
    socket.resume();
    await closed;
    return unchunked(Buffer.concat(chunks));
  };
  return { socket, readToEnd, [Symbol.asyncDispose]: async () => void socket.destroy() };
}

/** The body of a chunked answer. */
function unchunked(answer: Buffer): string {
  let at = answer.indexOf("\r\n\r\n") + 4;
  const parts: Buffer[] = [];
  for (;;) {
    const lineEnd = answer.indexOf("\r\n", at);
    const size = Number.parseInt(answer.subarray(at, lineEnd).toString("latin1"), 16);
    if (!size) return Buffer.concat(parts).toString();
    parts.push(answer.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}
