/** Do many open dashboards slow the server down? GET /health idle, and with all of them watching 200 chats. */
import { Pace, Posts, Streams, Viewers } from "./lib/helpers.ts";
import { row, type Bench, type Row } from "./lib/row.ts";
import { Evenkeel, getJson } from "./lib/servers.ts";
import { median, sum } from "./lib/stats.ts";
import { sleep, until } from "./lib/wait.ts";

const QUESTION = "dashboards";
const CHANNELS = [{ channel: "activities" }, { channel: "processes" }] as const;
const CHATS = 200;
/** What they see: chats of a second each, a few at a time, so that activities keep coming. */
const SHORT = { agent_id: "bench", message: "/sim ttft=100 tokens=20 rate=20" };
const LONG = { agent_id: "bench", message: "/sim ttft=0 tokens=1000000 rate=20", on_disconnect: "cancel" };
const ALL_ARRIVED_MS = 10_000;

interface Sample {
  readonly idleP99: number;
  readonly loadedP99: number;
  readonly failed: number;
  readonly activities: number;
  readonly missing: number;
  readonly faults: number;
}

interface Plan {
  readonly dashboards: number;
  readonly windowMs: number;
}

export async function dashboards(bench: Bench): Promise<Row[]> {
  const { quick, note } = bench;
  const plan = quick ? { dashboards: 100, windowMs: 2_000 } : { dashboards: 500, windowMs: 8_000 };
  note(
    `${plan.dashboards} WebSockets with the activities and the processes each; ${CHATS} streaming chats, and short ones for new activities. 4 workers, 2 agents. All clients but the one that measures stand for other machines: they step back behind the server.`,
  );
  const samples: Sample[] = [];
  for (let round = 0; round < (quick ? 1 : 3); round += 1) samples.push(await sample(bench, plan));
  const of = (figure: keyof Sample) => samples.map((one) => one[figure]);
  const idleP99 = median(of("idleP99"));
  const shown = { question: QUESTION };
  const at = `${plan.dashboards} dashboards`;
  return [
    row({
      ...shown,
      figure: `/health, ${at}: p99 loaded / idle`,
      unit: "ms",
      measured: median(of("loadedP99")),
      baseline: idleP99,
      ...(quick ? { max: 50 } : { maxRatio: 2 }),
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

async function sample({ processes, modelUrl }: Bench, plan: Plan): Promise<Sample> {
  await using server = await Evenkeel.start(processes, { workers: 4, agents: 2, modelUrl });
  await using pace = new Pace(processes);
  await using viewers = new Viewers(processes, "load");
  await using load = new Streams(processes);
  await using posts = new Posts(processes);
  const { url: base } = server;
  const { windowMs } = plan;
  const ask = { base, paths: ["/health"], perSecond: 100, durationMs: windowMs, graceMs: 2_000 };
  await pace.run({ ...ask, durationMs: 700 });
  const idle = await pace.run(ask);
  const began = await newestActivity(base);
  const all = Array.from({ length: plan.dashboards }, () => CHANNELS);
  await viewers.open({ base, transport: "socket", viewers: all });
  await load.open({ base, path: "/api/chat/stream", streams: CHATS, body: LONG });
  await sleep(1_000);
  const [loaded] = await Promise.all([
    pace.run(ask),
    posts.run({ base, path: "/api/chat", body: SHORT, concurrency: 5, requests: 1_000, durationMs: windowMs }),
  ]);
  const newest = await newestActivity(base);
  const missing = await missingOf(viewers, newest);
  const { faults, lost } = await viewers.take();
  const [before, after] = [idle.latencies[0], loaded.latencies[0]];
  return {
    idleP99: before?.p99 ?? Number.NaN,
    loadedP99: after?.p99 ?? Number.NaN,
    failed: (after?.failed ?? 0) + (after?.unanswered ?? 0),
    activities: newest - began,
    missing,
    faults: faults + lost,
  };
}

/** What is still missing when there was time enough for it. */
async function missingOf(viewers: Viewers, newest: number): Promise<number> {
  const none = async () => ((await viewers.missing(newest)) <= 0 ? true : undefined);
  await until(none, { what: "all activities", timeoutMs: ALL_ARRIVED_MS, everyMs: 100 }).catch(() => {});
  return Math.max(0, await viewers.missing(newest));
}

async function newestActivity(base: string): Promise<number> {
  const { activities } = (await getJson(`${base}/api/activities?limit=1`)) as { activities: { seq: number }[] };
  return activities[0]?.seq ?? 0;
}
