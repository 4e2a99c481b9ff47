/** Large pages and whole journals share the event loop with other requests. */
import { once } from "node:events";
import { connect } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { delta, ownerOf, stepOf } from "../engine/contract/setup.ts";
import type { Claim, Engine } from "../engine/engine.ts";
import { startCluster, type Cluster } from "../testing/cluster.ts";

const REQUESTS = 20;
const ROWS = 30;
const ROW_CHARACTERS = 10_000;
/** Of ROWS rows. */
const PIECES = 5;
/** A piece ends with the row that reaches 64 KiB. */
const MAX_PIECE_CHARACTERS = 64 * 1024 + 2 * ROW_CHARACTERS;

interface Reads {
  readonly wrapEngine: (engine: Engine) => Engine;
  /** The tick of the event loop of each read. */
  readonly ticks: readonly number[];
  /** The length of what each read gave. */
  readonly characters: readonly number[];
  /** Begins to count. */
  count(): void;
}

function watchReads(): Reads {
  const [ticks, characters]: [number[], number[]] = [[], []];
  let tick = 0;
  let counting: NodeJS.Immediate;
  onTestFinished(() => clearImmediate(counting));
  const count = () => {
    tick += 1;
    counting = setImmediate(count);
  };
  const watched =
    (read: (...args: readonly unknown[]) => Promise<unknown>) =>
    async (...args: readonly unknown[]) => {
      ticks.push(tick);
      const page = await read(...args);
      characters.push(JSON.stringify(page).length);
      return page;
    };
  const wrapEngine = (engine: Engine): Engine =>
    new Proxy(engine, {
      get: (target, name) => {
        const value = Reflect.get(target, name, target) as unknown;
        if (typeof value !== "function") return value;
        const method = value.bind(target) as (...args: readonly unknown[]) => Promise<unknown>;
        return name === "messages" || name === "events" ? watched(method) : method;
      },
    });
  return { wrapEngine, ticks, characters, count };
}

/** Sends the request many times, in one packet: then all are begun in one tick. @returns a wait for the last answer */
async function sendMany({ port }: Cluster, start: string, body = ""): Promise<() => Promise<unknown>> {
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  const ended = once(socket.resume(), "end");
  const rest = `\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const request = `${start} HTTP/1.1${rest}`;
  socket.write(`${request.repeat(REQUESTS - 1)}${start} HTTP/1.1\r\nConnection: close${rest}`);
  return () => ended;
}

/** Gives each of the waiting runs a long journal and a long thread. */
async function lengthen({ engine }: Cluster): Promise<Claim[]> {
  const claims = await engine.claim({ owner: ownerOf("owner 1"), limit: REQUESTS, leaseMs: 60_000 });
  const text = "x".repeat(ROW_CHARACTERS);
  const rows = {
    events: Array.from({ length: ROWS }, () => delta(text)),
    messages: Array.from({ length: ROWS }, () => ({ role: "assistant" as const, content: text })),
  };
  await Promise.all(claims.map((claim) => engine.append(stepOf(claim, rows))));
  return claims;
}

test.each([
  "/api/threads/t",
  "/api/chat/t/messages",
  "/api/runs/r/events",
  "/v1/responses/resp_r",
  // This is refused once all events are counted.
  "/v1/responses/resp_r?stream=true&starting_after=100000",
])("however many ask for GET %s, one piece is read per tick of the loop", async (path) => {
  const { wrapEngine, ticks, characters, count } = watchReads();
  await using cluster = await startCluster({ runner: false, wrapEngine });
  await cluster.client.begin("hello", { thread_id: "t", run_id: "r" });
  await lengthen(cluster);

  count();
  const answered = await sendMany(cluster, `GET ${path}`);
  await answered();

  expect(ticks.length).toBeGreaterThanOrEqual(REQUESTS * PIECES);
  expect(new Set(ticks).size).toBe(ticks.length);
  expect(Math.max(...characters)).toBeLessThan(MAX_PIECE_CHARACTERS);
});

test.each([
  ["/v1/chat/completions", { model: "assistant", messages: [{ role: "user", content: "hello" }] }],
  ["/v1/responses", { model: "assistant", input: "hello" }],
])("however many wait for POST %s, one piece is read per tick of the loop", async (path, asked) => {
  const { wrapEngine, ticks, characters, count } = watchReads();
  await using cluster = await startCluster({ runner: false, wrapEngine });
  const answered = await sendMany(cluster, `POST ${path}`, JSON.stringify(asked));
  const { engine } = cluster;
  await expect.poll(async () => (await engine.counts()).queued).toBe(REQUESTS);
  const claims = await lengthen(cluster);

  count();
  // All end with one commit.
  await Promise.all(claims.map((claim) => engine.settle(stepOf(claim), { status: "completed", reply: "done" })));
  await answered();

  expect(ticks.length).toBeGreaterThanOrEqual(REQUESTS * PIECES);
  expect(new Set(ticks).size).toBe(ticks.length);
  expect(Math.max(...characters)).toBeLessThan(MAX_PIECE_CHARACTERS);
});
