/**
 * Do many open dashboards slow the server down? GET /health while all of them watch 200 chats, and idle. A fresh
 * process is slow while it compiles its code, and many processes on two cores need long for it; so everything is
 * measured on a warm server. The p99 of one short window scatters by half on shared cores, loaded and idle alike; so
 * the loads follow each other round after round, and the median of all rounds counts.
 */
import { type Pace, startPace, type Posts, startPosts, Viewers } from "./lib/helpers.ts";
import { row, type Bench, type Row } from "./lib/row.ts";
import { beginRuns, cancelRuns } from "./lib/runs.ts";
import { Evenkeel, getJson } from "./lib/servers.ts";
import { median, sum } from "./lib/stats.ts";
import { sleep, until } from "./lib/wait.ts";

const QUESTION = "dashboards";
const CHANNELS = [{ channel: "activities" }, { channel: "processes" }] as const;
const CHATS = 200;
const LONG = "ttft=0 tokens=1000000 rate=20";
/** What they see: chats of a second each, a few at a time, so that activities keep coming. */
const SHORT = {
  path: "/api/chat",
  body: { agent_id: "bench", message: "/sim ttft=100 tokens=20 rate=20" },
  concurrency: 5,
  requests: 1_000,
};
const ALL_ARRIVED_MS = 10_000;
/** Time after which closed clients and canceled runs are gone. */
const SETTLE_MS = 2_000;

interface Sample {
  readonly idleP99: number;
  readonly watchedP99: number;
  /** Dashboards watch, and each chat is also read by its own client. */
  readonly readP99: number;
  readonly failed: number;
  readonly activities: number;
  readonly missing: number;
  readonly faults: number;
}

interface Plan {
  readonly dashboards: number;
  readonly servers: number;
  /** Rounds on each server. */
  readonly rounds: number;
  readonly warmUpMs: number;
  readonly windowMs: number;
}

interface Clients {
  readonly base: string;
  readonly pace: Pace;
  readonly posts: Posts;
  readonly viewers: Viewers;
  readonly readers: Viewers;
}

export async function dashboards(bench: Bench): Promise<Row[]> {
  const { quick, note } = bench;
  const plan = quick
    ? { dashboards: 100, servers: 1, rounds: 1, warmUpMs: 1_000, windowMs: 2_000 }
    : { dashboards: 500, servers: 2, rounds: 5, warmUpMs: 25_000, windowMs: 8_000 };
  note(
    `${plan.dashboards} WebSockets with the activities and the processes each; ${CHATS} running chats, and short ones for new activities. ` +
      `4 workers, 2 agents. ${plan.warmUpMs / 1_000} s pass under load before the measuring; idle is the same server when the load is gone. ` +
      `Rounds: ${plan.servers * plan.rounds}, ${plan.windowMs / 1_000} s for each load; their median counts. ` +
      "All clients but the one that measures stand for other machines: they step back behind the server.",
  );
  const samples: Sample[] = [];
  for (let server = 0; server < plan.servers; server += 1) samples.push(...(await measure(bench, plan)));
  const of = (figure: keyof Sample) => samples.map((one) => one[figure]);
  const idleP99 = median(of("idleP99"));
  const shown = { question: QUESTION };
  const at = `${plan.dashboards} dashboards`;
  const limit = quick ? { max: 50 } : { maxRatio: 2 };
  return [
    row({
      ...shown,
      figure: `/health, ${at}: p99 loaded / idle`,
      unit: "ms",
      measured: median(of("watchedP99")),
      baseline: idleP99,
      ...limit,
    }),
    row({
      ...shown,
      figure: `/health, ${at} and each chat read as a stream: p99 loaded / idle`,
      unit: "ms",
      measured: median(of("readP99")),
      baseline: idleP99,
      ...limit,
    }),
    row({ ...shown, figure: `/health, ${at}: failed`, unit: "requests", measured: sum(of("failed")), max: 0 }),
    row({ ...shown, figure: "activities meanwhile", unit: "events", measured: median(of("activities")) }),
    row({
      ...shown,
      figure: `activities that any of ${at} missed`,
      unit: "events",
      measured: sum(of("missing")),
      max: 0,
    }),
    row({ ...shown, figure: "holes, repeats and lost sockets", unit: "events", measured: sum(of("faults")), max: 0 }),
  ];
}

async function measure({ processes, modelUrl }: Bench, plan: Plan): Promise<Sample[]> {
  await using server = await Evenkeel.start(processes, { workers: 4, agents: 2, modelUrl });
  await using pace = startPace(processes);
  await using viewers = new Viewers(processes, "load");
  await using readers = new Viewers(processes, "load");
  await using posts = startPosts(processes, "load");
  const clients: Clients = { base: server.url, pace, posts, viewers, readers };
  const samples: Sample[] = [];
  for (let round = 0; round < plan.rounds; round += 1) {
    samples.push(await sample(clients, { ...plan, warmUpMs: round === 0 ? plan.warmUpMs : SETTLE_MS }));
  }
  return samples;
}

/** The heaviest load first, idle last. */
async function sample(clients: Clients, { dashboards, warmUpMs, windowMs }: Plan): Promise<Sample> {
  const { base, viewers, readers } = clients;
  const began = await newestActivity(base);
  const all = Array.from({ length: dashboards }, () => CHANNELS);
  await viewers.open({ base, transport: "socket", viewers: all });
  const runIds = await beginRuns(base, { runs: CHATS, words: LONG });
  const runs = runIds.map((runId) => [{ channel: "run", run_id: runId } as const]);
  await readers.open({ base, transport: "stream", viewers: runs });
  // Warm up the measuring client too, because its first requests are slow.
  await healthBeside(clients, warmUpMs);
  const read = await healthBeside(clients, windowMs);
  const seenByReaders = await readers.take();
  await readers.close();
  await sleep(SETTLE_MS);
  const watched = await healthBeside(clients, windowMs);
  const newest = await newestActivity(base);
  const missing = await missingOf(viewers, newest);
  const seen = await viewers.take();
  await Promise.all([viewers.close(), cancelRuns(base, runIds)]);
  await sleep(SETTLE_MS);
  const idle = await health(clients, windowMs);
  return {
    idleP99: idle.p99,
    watchedP99: watched.p99,
    readP99: read.p99,
    failed: watched.failed + read.failed + idle.failed,
    activities: newest - began,
    missing,
    faults: sum([seen, seenByReaders].map(({ faults, lost }) => faults + lost)),
  };
}

async function healthBeside(clients: Clients, durationMs: number): Promise<{ p99: number; failed: number }> {
  const { posts, base } = clients;
  const [measured] = await Promise.all([health(clients, durationMs), posts.run({ ...SHORT, base, durationMs })]);
  return measured;
}

async function health({ pace, base }: Clients, durationMs: number): Promise<{ p99: number; failed: number }> {
  const { latencies } = await pace.run({ base, paths: ["/health"], perSecond: 100, durationMs, graceMs: 2_000 });
  const [{ p99, failed, unanswered } = { p99: Number.NaN, failed: 0, unanswered: 0 }] = latencies;
  return { p99, failed: failed + unanswered };
}

/** The number of events that are missing although there was time for them. */
async function missingOf(viewers: Viewers, newest: number): Promise<number> {
  const none = async () => ((await viewers.missing(newest)) <= 0 ? true : undefined);
  await until(none, { what: "all activities", timeoutMs: ALL_ARRIVED_MS, everyMs: 100 }).catch(() => {});
  return Math.max(0, await viewers.missing(newest));
}

async function newestActivity(base: string): Promise<number> {
  const { activities } = (await getJson(`${base}/api/activities?limit=1`)) as { activities: { seq: number }[] };
  return activities[0]?.seq ?? 0;
}
