/**
 * D8: a silent stream stays open, also behind a proxy, and a client that is gone is noticed. The tests move
 * the clock of the pings by hand.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { WebSocketServer } from "ws";
import { claimNext, delta, enqueue, stepOf } from "../engine/contract/setup.ts";
import { startCluster } from "../testing/cluster.ts";
import { startProxy } from "../testing/proxy.ts";
import { SocketClient } from "../testing/socket.ts";

const PING_MS = 15_000;
const TEN_MINUTES_MS = 600_000;

/** Fakes only intervals, which the pings and the proxy use; all other timers are real. */
function stopIntervals(): void {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  onTestFinished(() => void vi.useRealTimers());
}

test("a stream and a socket survive ten silent minutes behind a proxy and get the next event", async () => {
  stopIntervals();
  await using cluster = await startCluster({ runner: false });
  await using proxy = await startProxy(cluster.client.url);
  const { run_id: runId } = await enqueue(cluster.engine);
  const claim = await claimNext(cluster.engine);
  const last = await cluster.engine.lastEvent(runId);
  await using stream = await openStream(`${proxy.url}/api/runs/${runId}/events?after=${last}`);
  using open = vi.spyOn(cluster.delivery, "openSocket");
  await using socket = await SocketClient.connect(proxy.url);
  const [serversEnd] = open.mock.lastCall ?? [];
  const { id } = await socket.ask({ op: "subscribe", channel: "run", run_id: runId, after: last });

  const heard: string[] = [];
  for (let silentMs = 0; silentMs < TEN_MINUTES_MS; silentMs += PING_MS) {
    const answered = once(serversEnd ?? socket.ws, "pong");
    vi.advanceTimersByTime(PING_MS);
    await answered;
    // A stream that was opened after the last ping round is not pinged in the next one.
    if (silentMs > 0) heard.push(await stream.next());
  }
  await cluster.engine.append(stepOf(claim, { events: [delta("at last")] }));

  expect(heard).toEqual(Array.from({ length: TEN_MINUTES_MS / PING_MS - 1 }, () => ": ping\n\n"));
  expect(await stream.next()).toContain('"delta":"at last"');
  const { event } = await socket.until((frame) => frame.id === id && frame.event !== undefined);
  expect(event).toMatchObject({ delta: "at last" });
});

test("the proxy of these tests cuts a stream and a socket that say nothing for a minute", async () => {
  stopIntervals();
  await using silent = await startSilent();
  await using proxy = await startProxy(silent.url);
  await using stream = await openStream(`${proxy.url}/`);
  await stream.next();
  await using socket = await SocketClient.connect(proxy.url);

  vi.advanceTimersByTime(60_000 - 1);
  expect(socket.ws.readyState).toBe(socket.ws.OPEN);
  vi.advanceTimersByTime(1);

  await expect(stream.next()).rejects.toThrow("terminated");
  expect(await socket.closed).toBe(1006);
});

test("a client that answers no ping is ended at the second one, and one that answers is not", async () => {
  stopIntervals();
  await using cluster = await startCluster({ runner: false });
  await using gone = await SocketClient.connect(cluster.client.url, { autoPong: false });
  await using there = await SocketClient.connect(cluster.client.url);
  await Promise.all([gone, there].map((client) => client.ask({ op: "subscribe", channel: "activities" })));

  for (let pings = 0; pings < 2; pings += 1) {
    const answered = once(there.ws, "ping");
    vi.advanceTimersByTime(PING_MS);
    await answered;
    // The pong comes after this on the same connection.
    await there.ask({ op: "subscribe", channel: "processes" });
  }

  expect(await gone.closed).toBe(1006);
  expect(there.ws.readyState).toBe(there.ws.OPEN);
  expect(cluster.delivery.sockets.size).toBe(1);
});

test("a client that takes minutes to send one message cannot answer meanwhile, and is not ended", async () => {
  stopIntervals();
  await using cluster = await startCluster({ runner: false });
  using open = vi.spyOn(cluster.delivery, "openSocket");
  await using client = await SocketClient.connect(cluster.client.url, { autoPong: false });
  const [, serversEnd] = open.mock.lastCall ?? [];
  const request = JSON.stringify({ op: "subscribe", id: "late", channel: "activities" });

  // RFC 6455 § 5.2: one text frame, masked with zeros.
  const message = Buffer.concat([Buffer.from([0x81, 0x80 | request.length, 0, 0, 0, 0]), Buffer.from(request)]);
  for (const byte of message) {
    const heard = serversEnd?.bytesRead;
    client.tcp.write(Buffer.from([byte]));
    await vi.waitUntil(() => serversEnd?.bytesRead !== heard, { interval: 1 });
    vi.advanceTimersByTime(PING_MS);
  }

  expect(await client.until(({ id }) => id === "late")).toMatchObject({ ok: true });
});

interface Stream extends AsyncDisposable {
  /** The next piece that arrives, as text. */
  next(): Promise<string>;
}

async function openStream(url: string): Promise<Stream> {
  const { body } = await fetch(url, { headers: { Accept: "text/event-stream" } });
  if (!body) throw new Error("Expected a body.");
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  const next = async () => (await reader.read()).value ?? "";
  return { next, [Symbol.asyncDispose]: () => reader.cancel().catch(() => {}) };
}

/**
 * A server that begins a stream, or accepts a socket, and then neither pings nor ends it, so that only a
 * proxy could end it.
 */
async function startSilent(): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((_, response) => {
    response.writeHead(200, { "Content-Type": "text/event-stream", "X-Accel-Buffering": "no" });
    response.write(": here\n\n");
  });
  const sockets = new WebSocketServer({ server });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const dispose = async () => {
    for (const socket of sockets.clients) socket.terminate();
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, [Symbol.asyncDispose]: dispose };
}
