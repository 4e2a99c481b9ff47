/** Bodies of unknown clients: what they may cost, and that a client that is refused while it sends gets the reason. */
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { Readable } from "node:stream";
import { expect, onTestFinished, test, vi } from "vitest";
import { LOCAL } from "../core/principal.ts";
import { startCluster, type Cluster } from "../testing/cluster.ts";
import { BodyMemory } from "./body-memory.ts";
import { Bodies } from "./body.ts";

const ANA = { name: "ana", secret: "ana-secret-1" };
const KEYED = { settings: { apiKeys: [ANA] }, runner: false };
const CHUNKED = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n";

function post(headers: string, secret = ANA.secret): string {
  return `POST /api/chat/async HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${secret}\r\n${headers}\r\n`;
}

/** A connection that collects the answers. */
function open({ port }: Cluster): { socket: Socket; answer: () => string } {
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  let answer = "";
  socket.setEncoding("utf8").on("data", (data) => (answer += String(data)));
  socket.on("error", () => {});
  return { socket, answer: () => answer };
}

/** Sends until no more bytes are accepted. @returns how many bytes went out */
async function flood(socket: Socket, piece: Buffer): Promise<number> {
  const closed = new Promise<false>((resolve) => socket.once("close", () => resolve(false)));
  let open = true;
  while (open && socket.writable) {
    if (socket.write(piece)) await new Promise((resolve) => setImmediate(resolve));
    else open = await Promise.race([new Promise<true>((resolve) => socket.once("drain", () => resolve(true))), closed]);
  }
  await closed;
  return socket.bytesWritten - socket.writableLength;
}

const CHUNK_OF_64K = Buffer.from(`10000\r\n${" ".repeat(65_536)}\r\n`);
const MIB = 1024 * 1024;

test.each([
  ["without a key", post(CHUNKED, "wrong"), "401"],
  ["of another type", post("Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n"), "415"],
  ["that is too large", post(CHUNKED), "413"],
  ["that no route wants", post(CHUNKED).replace("/api/chat/async", "/api/runs/x/cancel"), "413"],
  ["of a GET for anyone", `GET / HTTP/1.1\r\nHost: localhost\r\n${CHUNKED}\r\n`, "413"],
  ["that says it is too large", post(`Content-Type: application/json\r\nContent-Length: ${100 * MIB}\r\n`), "413"],
])("a body %s is answered while it comes, not read on, and its connection ends", async (_name, head, status) => {
  await using cluster = await startCluster(KEYED);
  const { socket, answer } = open(cluster);

  socket.write(head);
  const sent = await flood(socket, head.includes("chunked") ? CHUNK_OF_64K : Buffer.alloc(65_536, " "));

  expect(answer()).toMatch(new RegExp(`^HTTP/1.1 ${status} [\\s\\S]*Connection: close[\\s\\S]*"status":${status}`));
  // Only what the kernel buffers for both sides.
  expect(sent).toBeLessThan(16 * MIB);
});

test("a short body that is refused costs its client no connection", async () => {
  await using cluster = await startCluster(KEYED);
  const { socket, answer } = open(cluster);
  const body = JSON.stringify({ agent_id: "assistant", message: "hello" });
  const json = `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`;

  socket.write(`${post(json, "wrong")}${body}`);
  await vi.waitFor(() => expect(answer()).toContain(" 401 "));
  socket.write(`${post(json)}${body}`);

  await vi.waitFor(() => expect(answer()).toContain(" 202 "));
});

test("who waits for `100 Continue` is told to go on only if the key is one", async () => {
  await using cluster = await startCluster(KEYED);
  const body = JSON.stringify({ agent_id: "assistant", message: "hello" });
  const headers = `Content-Type: application/json\r\nContent-Length: ${body.length}\r\nExpect: 100-continue\r\n`;
  const [stranger, ana] = [open(cluster), open(cluster)];

  stranger.socket.write(post(headers, "wrong"));
  ana.socket.write(post(headers));
  await once(stranger.socket, "close");
  await vi.waitFor(() => expect(ana.answer()).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\n$/));
  ana.socket.write(body);
  await vi.waitFor(() => expect(ana.answer()).toContain(" 202 "));

  expect(stranger.answer()).toMatch(/^HTTP\/1.1 401 /);
  expect(stranger.answer()).not.toContain("100 Continue");
});

test("a body of one-byte chunks is refused before it costs more than other bodies", async () => {
  await using cluster = await startCluster(KEYED);
  const chunks = Buffer.from("1\r\n \r\n".repeat(16 * 1024));
  const before = process.memoryUsage().rss;

  const answers = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const { socket, answer } = open(cluster);
      socket.write(post(CHUNKED));
      await flood(socket, chunks);
      return answer();
    }),
  );

  expect(answers).toEqual(Array(8).fill(expect.stringMatching(/^HTTP\/1.1 413 [\s\S]*at most 8192 chunks/)));
  // Before the fix, each of the eight took 200 to 400 MB.
  expect(process.memoryUsage().rss - before).toBeLessThan(100 * MIB);
});

test("a body in many small chunks is served", async () => {
  await using cluster = await startCluster(KEYED);
  const { socket, answer } = open(cluster);
  const body = Buffer.from(JSON.stringify({ agent_id: "assistant", message: "x".repeat(4_000) }));

  socket.write(post(CHUNKED));
  for (const byte of body) socket.write(`1\r\n${String.fromCodePoint(byte)}\r\n`);
  socket.write("0\r\n\r\n");

  await vi.waitFor(() => expect(answer()).toContain(" 202 "));
});

test("the bodies of a worker have a bound together, and room comes back with each that ends", async () => {
  const bodies = new Bodies(new BodyMemory(100_000), LOCAL);
  const half = Buffer.alloc(60_000);
  const waiting = streamOf(half);
  const first = bodies.read(waiting.request, waiting.response);

  const second = streamOf(half);
  await expect(bodies.read(second.request, second.response)).rejects.toMatchObject({ code: "OVERLOADED" });
  waiting.end();
  expect(await first).toHaveLength(60_000);
  const third = streamOf(half);
  third.end();

  expect(await bodies.read(third.request, third.response)).toHaveLength(60_000);
});

test("a client gets a part of that bound, so that the body of another is served", async () => {
  const memory = new BodyMemory(1_000_000);
  const slow = Array.from({ length: 10 }, () => streamOf(Buffer.alloc(100_000)));
  const bodiesOf = (id: string) => new Bodies(memory, { id, role: "client", via: "key" });
  const reading = slow.map(({ request, response }) => bodiesOf("ana").read(request, response));
  const outcomes = Promise.allSettled(reading);

  const other = streamOf(Buffer.alloc(100_000));
  other.end();
  expect(await bodiesOf("bob").read(other.request, other.response)).toHaveLength(100_000);
  for (const { end } of slow) end();

  const refused = (await outcomes).filter(({ status }) => status === "rejected");
  expect(refused).toHaveLength(8);
  expect(refused[0]).toMatchObject({ reason: { code: "TOO_MANY_REQUESTS" } });
});

/** A request of whose body these bytes have come. */
function streamOf(bytes: Buffer) {
  const stream = Readable.from(endless());
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  async function* endless() {
    yield bytes;
    await ended;
  }
  const request = Object.assign(stream, { headers: {} }) as unknown as IncomingMessage;
  return { request, response: {} as ServerResponse, end };
}
