/**
 * What does Postgres cost in place of the file, on one machine that Postgres shares? The same load on both: how soon an
 * event reaches a viewer, how long a run without an answer takes, and the CPU of a frame, with Postgres's own CPU shown
 * separately. How soon an event reaches a viewer is asked of both buses, NOTIFY and Redis.
 */
import { DURABLE, TestPostgres } from "../src/testing/postgres.ts";
import { findProgram } from "../src/testing/program.ts";
import { TestRedis } from "../src/testing/redis.ts";
import { frameCost } from "./lib/frame-cost.ts";
import { startPosts, Viewers } from "./lib/helpers.ts";
import type { Processes } from "./lib/processes.ts";
import { row, type Bench, type Row } from "./lib/row.ts";
import { beginRuns, cancelRuns } from "./lib/runs.ts";
import { Evenkeel } from "./lib/servers.ts";
import { median, percentile } from "./lib/stats.ts";
import { cpuMs, treeOf } from "./lib/usage.ts";
import { sleep } from "./lib/wait.ts";

const QUESTION = "postgres";
const EVENTS_PER_RUN = 20;
const STREAMS = 100;

const RUN = { words: "tokens=1 rate=0", path: "/api/chat" } as const;
const FIRST_TOKEN = { words: "tokens=3 rate=50", path: "/api/chat/stream", until: "tok1" } as const;

interface Site {
  readonly server: Evenkeel;
  readonly pids: readonly number[];
}

interface Ages {
  readonly p50: number;
  readonly p99: number;
  readonly perSecond: number;
  readonly faults: number;
}

export async function postgres(bench: Bench): Promise<Row[]> {
  const { quick, processes, modelUrl, note } = bench;
  const perSecond = quick ? 500 : 5_000;
  note(
    `1 worker, 1 agent a side; Postgres with fsync on the same cores. Append to client: ${perSecond / EVENTS_PER_RUN} runs at ${EVENTS_PER_RUN} events/s each, watched over WebSockets. Frames: ${STREAMS} streams at 20 tokens/s.`,
  );
  await using database = await TestPostgres.start({ settings: DURABLE });
  const options = { workers: 1, agents: 1, modelUrl };
  await using onFile = await Evenkeel.start(processes, options);
  await using onPostgres = await Evenkeel.start(processes, { ...options, databaseUrl: database.url() });
  const ours = await siteOf(onPostgres);
  const rows = [
    ...(await runRows(bench, { ours, theirs: await siteOf(onFile) })),
    ...(await frameRows(bench, { ours, theirs: await siteOf(onFile), database })),
  ];
  rows.push(...(await ageRows(bench, { server: onPostgres, perSecond, mostMs: 6 })));
  if (quick) return rows;
  if (findProgram("redis-server")) rows.push(...(await redisRows(bench, { database, perSecond })));
  else note("Not measured: the Redis bus. redis-server is missing; .ci/programs brings it.");
  return rows;
}

async function redisRows(
  bench: Bench,
  { database, perSecond }: { readonly database: TestPostgres; readonly perSecond: number },
): Promise<Row[]> {
  const { processes, modelUrl } = bench;
  await using redis = await TestRedis.start();
  const databaseUrl = database.url(await database.createDatabase());
  const options = { workers: 1, agents: 1, modelUrl, databaseUrl, redisUrl: redis.url };
  await using server = await Evenkeel.start(processes, options);
  return await ageRows(bench, { server, perSecond, mostMs: 3, bus: "Redis bus, " });
}

async function siteOf(server: Evenkeel): Promise<Site> {
  return { server, pids: [...(await server.pids("worker")), ...(await server.pids("agent"))] };
}

interface Sides {
  readonly ours: Site;
  readonly theirs: Site;
}

async function runRows({ quick, processes }: Bench, { ours, theirs }: Sides): Promise<Row[]> {
  const times = async ({ server }: Site, { words, ...asked }: typeof RUN | typeof FIRST_TOKEN) => {
    await using posts = startPosts(processes, "measure");
    const body = { agent_id: "bench", message: `/sim ttft=0 ${words}` };
    const job = { base: server.url, body, concurrency: 1, durationMs: 20_000, ...asked };
    await posts.run({ ...job, requests: 20 });
    return (await posts.run({ ...job, requests: quick ? 40 : 400 })).latenciesMs;
  };
  const run = { ours: await times(ours, RUN), theirs: await times(theirs, RUN) };
  const first = { ours: await times(ours, FIRST_TOKEN), theirs: await times(theirs, FIRST_TOKEN) };
  const shown = { question: QUESTION, unit: "ms" } as const;
  const compared = (figures: typeof run, percent: number) => ({
    measured: percentile(figures.ours, percent),
    baseline: percentile(figures.theirs, percent),
  });
  return [
    row({ ...shown, figure: "POST to reply: p50 / SQLite", ...compared(run, 50), max: quick ? 100 : 25 }),
    row({ ...shown, figure: "POST to reply: p99 / SQLite", ...compared(run, 99) }),
    row({ ...shown, figure: "first token: p50 / SQLite", ...compared(first, 50) }),
    row({ ...shown, figure: "first token: p99 / SQLite", ...compared(first, 99) }),
  ];
}

async function frameRows(
  { quick, processes }: Bench,
  { ours, theirs, database }: Sides & { readonly database: TestPostgres },
): Promise<Row[]> {
  const costs: { ours: number; theirs: number; postgres: number }[] = [];
  for (let round = 0; round < (quick ? 2 : 5); round += 1) {
    const theirCost = await costOf(processes, theirs, quick);
    const pids = treeOf(database.pid ?? 0);
    const before = { cpu: cpuMs(pids), at: performance.now() };
    const ourCost = await costOf(processes, ours, quick);
    // The CPU also covers the moments before and after the window, which have the same number of frames a second.
    const frames = (ourCost.tokensPerSecond * (performance.now() - before.at)) / 1_000;
    costs.push({
      ours: ourCost.cpuMicros,
      theirs: theirCost.cpuMicros,
      postgres: ((cpuMs(pids) - before.cpu) * 1_000) / frames,
    });
  }
  const of = (side: keyof (typeof costs)[number]) => median(costs.map((cost) => cost[side]));
  const shown = { question: QUESTION, unit: "µs" } as const;
  return [
    row({
      ...shown,
      figure: "CPU a frame / SQLite",
      measured: of("ours"),
      baseline: of("theirs"),
      maxRatio: quick ? 3 : 1.5,
    }),
    row({ ...shown, figure: "CPU a frame in Postgres itself", measured: of("postgres") }),
  ];
}

function costOf(processes: Processes, { server, pids }: Site, quick: boolean) {
  const message = "/sim ttft=0 tokens=100000 rate=20";
  const body = { agent_id: "bench", message, on_disconnect: "cancel" };
  const target = { base: server.url, pids, path: "/api/chat/stream", body };
  return frameCost(processes, target, { streams: STREAMS, windowMs: quick ? 1_500 : 5_000 });
}

interface AgeOptions {
  readonly server: Evenkeel;
  readonly perSecond: number;
  /** Bound of the p50. */
  readonly mostMs: number;
  /** In front of the figures' names. */
  readonly bus?: string;
}

async function ageRows(
  { quick, processes }: Bench,
  { server, perSecond, mostMs, bus = "" }: AgeOptions,
): Promise<Row[]> {
  const { p50, p99, perSecond: delivered, faults } = await agesOf(processes, server, { quick, perSecond });
  const shown = { question: QUESTION };
  const age = `${bus}append to client`;
  return [
    row({ ...shown, figure: `${bus}events appended and delivered, of ${perSecond}`, unit: "/s", measured: delivered }),
    row({ ...shown, figure: `${age}: p50`, unit: "ms", measured: p50, max: quick ? 100 : mostMs }),
    row({ ...shown, figure: `${age}: p99`, unit: "ms", measured: p99, max: quick ? 500 : 25 }),
    row({ ...shown, figure: `${bus}holes, repeats and lost sockets`, unit: "events", measured: faults, max: 0 }),
  ];
}

async function agesOf(
  processes: Processes,
  server: Evenkeel,
  { quick, perSecond }: { readonly quick: boolean; readonly perSecond: number },
): Promise<Ages> {
  await using viewers = new Viewers(processes, "measure");
  const words = `ttft=0 tokens=1000000 rate=${EVENTS_PER_RUN}`;
  const runIds = await beginRuns(server.url, { runs: perSecond / EVENTS_PER_RUN, words });
  const watched = runIds.map((runId) => [{ channel: "run", run_id: runId } as const]);
  await viewers.open({ base: server.url, transport: "socket", viewers: watched });
  await sleep(quick ? 700 : 3_000);
  await viewers.take();
  const startedAt = performance.now();
  await sleep(quick ? 2_000 : 15_000);
  const seen = await viewers.take();
  const endedAt = performance.now();
  // The next server shares the cores.
  await cancelRuns(server.url, runIds);
  return {
    p50: seen.p50,
    p99: seen.p99,
    perSecond: (seen.frames * 1_000) / (endedAt - startedAt),
    faults: seen.faults + seen.lost,
  };
}
