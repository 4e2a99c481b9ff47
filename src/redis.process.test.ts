/**
 * Servers on one Postgres with Redis as their bus. Redis is killed, comes back, hangs, and is not there at the start,
 * while streams run: no event may be lost, or come more than a second late.
 */
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { setTimeout as delay } from "node:timers/promises";
import { problemsOf, textIn } from "./testing/journal.ts";
import { needs } from "./testing/program.ts";
import { TestRedis } from "./testing/redis.ts";
import { makePlace, Server } from "./testing/server.ts";
import { readSse } from "./testing/sse.ts";
import { storages } from "./testing/storages.ts";

const LATE_MS = 1_000;
const RUNS = 6;
const { environment, postgres } = storages();

interface Stream {
  readonly runId: string;
  readonly events: Parameters<typeof problemsOf>[0];
  /** For each piece of the text: the time from the event to its arrival here. */
  readonly lateMs: readonly number[];
}

describe("servers with Redis as their bus", needs("redis-server"), () => {
  const stack = new AsyncDisposableStack();
  let redis: TestRedis;
  let servers: readonly [Server, Server];
  beforeAll(async () => {
    redis = stack.use(await TestRedis.start({ isRunning: false }));
    const env = { ...(await environment("Postgres")), REDIS_URL: redis.url.replace("//", "//:its-password@") };
    servers = [await startServer(stack, env), await startServer(stack, env)];
  }, 60_000);
  afterAll(() => stack.disposeAsync());

  test("start without it, and say so once", async () => {
    const [reply] = await Promise.all(servers.map(({ client }) => client.chat("/sim tokens=3")));
    expect(reply).toMatchObject({ status: 200, body: { reply: "tok1 tok2 tok3" } });
    await vi.waitFor(() => expect(busLines(servers[0])).toEqual([expect.stringContaining("ECONNREFUSED")]), 5_000);
    expect(await servers[0].client.get("/ready")).toMatchObject({
      status: 200,
      body: { status: "ready", bus: { name: "redis", connected: false } },
    });
    await untilBusIs(servers[0], 0);
    expect(servers[0].stdout).toContain(`, news through Redis at 127.0.0.1:${redis.port}`);

    await redis.run();
    await untilConnected(redis);
    await untilBusIs(servers[0], 1);
    expect((await servers[0].client.get("/ready")).body["bus"]).toEqual({ name: "redis", connected: true });
  });

  test("tell each other at once, and Postgres of nothing", async () => {
    const streams = await watch(servers, "/sim tokens=40 rate=20");
    for (const stream of streams) expect(problemsOf(stream.events)).toEqual([]);
    const database = await postgres();
    const { rows } = await database.admin("SELECT query FROM pg_stat_activity WHERE query ~* 'pg_notify|^LISTEN'");
    expect(rows.filter(({ query }) => !String(query).includes("pg_stat_activity"))).toEqual([]);
    // Looks at the table alone would make it 400 ms.
    const lateMs = streams.flatMap((stream) => stream.lateMs).toSorted((a, b) => a - b);
    expect(lateMs[lateMs.length >> 1]).toBeLessThan(150);
  });

  test("lose nothing, and are late by less than a second, when Redis is killed, restarts and hangs", async () => {
    const watching = watch(servers, "/sim tokens=220 rate=20");
    await delay(1_000);
    await redis.kill();
    await delay(2_500);
    await redis.run();
    await untilConnected(redis);
    redis.hang();
    await delay(4_000);
    redis.goOn();

    for (const { runId, events, lateMs } of await watching) {
      const { body: run } = await servers[0].client.get(`/api/runs/${runId}`);
      expect(run).toMatchObject({ status: "completed", attempts: 1 });
      expect(problemsOf(events)).toEqual([]);
      expect(textIn(events)).toBe(run.reply);
      expect(Math.max(...lateMs)).toBeLessThan(LATE_MS);
    }
    await vi.waitFor(() => expect(busLines(servers[0]).at(-1)).toContain("carries the news again"), 5_000);
    for (const server of servers) {
      // One line for each of three outages and for each return; a line that repeats an earlier one is left out.
      expect(busLines(server).length).toBeLessThanOrEqual(6);
      expect(server.stdout + server.stderr).not.toContain("its-password");
    }
  });
});

async function startServer(stack: AsyncDisposableStack, env: Record<string, string>): Promise<Server> {
  const place = stack.use(await makePlace());
  return stack.use(new Server(place, { env: { ...env, WORKERS: "1", AGENTS: "1" } })).ready();
}

/** Begins runs at the first server, and reads them at both. */
async function watch([first, second]: readonly [Server, Server], message: string): Promise<Stream[]> {
  const runIds = await Promise.all(Array.from({ length: RUNS }, () => first.client.begin(message)));
  return Promise.all(runIds.map((runId, index) => read(index % 2 ? first : second, runId)));
}

async function read({ client }: Server, runId: string): Promise<Stream> {
  const events = [];
  const lateMs: number[] = [];
  for await (const { event } of readSse(await client.follow(runId))) {
    events.push(event);
    if (event.type === "TEXT_MESSAGE_CONTENT") lateMs.push(Date.now() - event.timestamp);
  }
  return { runId, events, lateMs };
}

/** The lines about the bus: away, back, away, … */
function busLines(server: Server): string[] {
  return server
    .logLines()
    .map(({ msg }) => String(msg))
    .filter((line) => line.includes("Redis"));
}

/** In the metrics of worker and agent. */
async function untilBusIs({ client }: Server, value: 0 | 1): Promise<void> {
  await vi.waitFor(
    async () => {
      const text = await (await client.fetch("/metrics")).text();
      for (const kind of ["worker", "agent"])
        expect(text).toContain(`evenkeel_bus_connected{kind="${kind}",id="1",bus="redis"} ${value}\n`);
    },
    { timeout: 5_000, interval: 50 },
  );
}

/** Primary, its upkeep, worker and agent of both servers. */
const CONNECTIONS = 8;

async function untilConnected({ url }: TestRedis): Promise<void> {
  const admin = new Redis(url);
  try {
    await vi.waitFor(
      async () => {
        const [, clients] = /connected_clients:(\d+)/.exec(await admin.info("clients")) ?? [];
        expect(Number(clients)).toBe(CONNECTIONS + 1);
      },
      { timeout: 5_000 },
    );
  } finally {
    admin.disconnect();
  }
}
