/**
 * Does the server answer while agents stream and block, and clients do not read? GET /health and
 * /api/activities at a fixed rate, idle and then under load, on evenkeel and on one process that does it all.
 */
import type { Latency, PaceResult } from "./clients/pace.ts";
import { oneProcess, startPace, Streams } from "./lib/helpers.ts";
import { row, type Bench, type Row } from "./lib/row.ts";
import { Evenkeel } from "./lib/servers.ts";
import { seedActivities } from "./lib/seed.ts";
import { median } from "./lib/stats.ts";
import { cpuMs } from "./lib/usage.ts";
import { sleep } from "./lib/wait.ts";

const QUESTION = "responsive";
const PATHS = ["/health", "/api/activities"] as const;
const PER_SECOND = 100;
const BLOCKING_RUNS = 8;
const MUTE_CLIENTS = 20;
/** Eight of them in a row stay below the 5 s after which an agent counts as stalled. */
const SPIN_MS = 500;
/** A request that is still unanswered after this time counts with its age. */
const GRACE_MS = 3_000;

/** Below this share of one core the blocking runs did not block, so nothing was measured. */
const LEAST_BUSY_PERCENT = 50;

/** Time for canceled runs to wind down. */
const SETTLE_MS = 2_000;

type State = "idle" | "loaded";

interface Sample {
  readonly idle: PaceResult;
  readonly loaded: PaceResult;
  /** Percent of one core that the processes running the tools use, under load. */
  readonly busyPercent: number;
  readonly tokensPerSecond: number;
}

interface Target {
  readonly base: string;
  readonly load: Streams;
  /** The processes that run the tools. */
  readonly busyPids: readonly number[];
}

interface Plan {
  readonly streams: number;
  readonly warmUpMs: number;
  readonly windowMs: number;
  readonly rounds: number;
}

export async function responsive(bench: Bench): Promise<Row[]> {
  const { quick, note } = bench;
  note(
    `Load: streaming chats at 20 tokens/s each, ${BLOCKING_RUNS} runs whose tool spins ${SPIN_MS} ms over and over, ${MUTE_CLIENTS} clients that never read. ` +
      `${PER_SECOND} requests/s a route. evenkeel is measured after some time under the load (20 s; none with --quick), and idle when that is gone. The simulated model and the load's clients run at nice 15 on the same cores; the measuring client at normal priority. A request that is unanswered ${GRACE_MS} ms after the last was sent counts with its age.`,
  );
  const plans: readonly Plan[] = quick
    ? [{ streams: 50, warmUpMs: 0, windowMs: 2_000, rounds: 1 }]
    : [
        { streams: 50, warmUpMs: 20_000, windowMs: 8_000, rounds: 3 },
        { streams: 200, warmUpMs: 20_000, windowMs: 8_000, rounds: 3 },
      ];
  const rows: Row[] = [];
  for (const plan of plans) {
    const ours: Sample[] = [];
    const theirs: Sample[] = [];
    for (let round = 0; round < plan.rounds; round += 1) {
      ours.push(await sampleEvenkeel(bench, plan));
      theirs.push(await sampleOneProcess(bench, plan));
    }
    rows.push(...PATHS.flatMap((path, index) => compare({ path, index, plan, ours, theirs, quick })));
    rows.push(...describeLoad(plan, ours, theirs));
  }
  return rows;
}

/** Warm up first, because a fresh process is slow while it compiles its code; idle is therefore measured last. */
async function sampleEvenkeel(bench: Bench, plan: Plan): Promise<Sample> {
  const { processes, modelUrl } = bench;
  await using server = await Evenkeel.start(processes, { workers: 4, agents: 2, modelUrl });
  await using load = new Streams(processes);
  const { url: base } = server;
  await seedActivities(base);
  await startLoad(load, base, plan.streams);
  await sleep(plan.warmUpMs);
  const loaded = await sampleLoaded(bench, { base, load, busyPids: await server.pids("agent") }, plan);
  await load.close();
  await sleep(SETTLE_MS);
  return { ...loaded, idle: await pace(bench, base, plan) };
}

/** Measure idle first, because this server never gets rid of its load. */
async function sampleOneProcess(bench: Bench, plan: Plan): Promise<Sample> {
  await using baseline = oneProcess(bench.processes);
  await using load = new Streams(bench.processes);
  const base = await baseline.listen({ modelUrl: bench.modelUrl });
  const idle = await pace(bench, base, plan);
  await startLoad(load, base, plan.streams);
  return { ...(await sampleLoaded(bench, { base, load, busyPids: [baseline.pid] }, plan)), idle };
}

async function sampleLoaded(bench: Bench, { base, load, busyPids }: Target, plan: Plan): Promise<Omit<Sample, "idle">> {
  const before = { cpu: cpuMs(busyPids), at: performance.now(), tokens: (await load.count()).tokens };
  const loaded = await pace(bench, base, plan);
  const elapsedMs = performance.now() - before.at;
  const busyPercent = ((cpuMs(busyPids) - before.cpu) * 100) / elapsedMs;
  if (!(busyPercent >= LEAST_BUSY_PERCENT))
    throw new Error(`The load did not take place: ${busyPercent.toFixed(0)} % of one core was used by it.`);
  const tokensPerSecond = (((await load.count()).tokens - before.tokens) * 1_000) / elapsedMs;
  return { loaded, busyPercent, tokensPerSecond };
}

async function pace({ processes }: Bench, base: string, { windowMs }: Plan): Promise<PaceResult> {
  await using client = startPace(processes);
  const job = { base, paths: PATHS, perSecond: PER_SECOND, graceMs: GRACE_MS };
  // The client's own first requests are slow.
  await client.run({ ...job, durationMs: 700 });
  return await client.run({ ...job, durationMs: windowMs });
}

async function startLoad(load: Streams, base: string, streams: number): Promise<void> {
  const open = { base, path: "/api/chat/stream" };
  await load.open({ ...open, streams, body: chat("ttft=0 rate=20 tokens=100000") });
  await load.open({ ...open, streams: MUTE_CLIENTS, mute: true, body: chat("ttft=0 rate=50 tokens=100000") });
  const spinning = chat(`ttft=0 rate=0 tokens=1 loop tool=spin input={"ms":${SPIN_MS}}`);
  // These clients wait for no answer, because the baseline answers none once the first tool spins.
  await load.open({ ...open, streams: BLOCKING_RUNS, mute: true, body: spinning });
  await sleep(1_000);
}

interface Comparison {
  readonly path: string;
  readonly index: number;
  readonly plan: Plan;
  readonly ours: readonly Sample[];
  readonly theirs: readonly Sample[];
  readonly quick: boolean;
}

function compare({ path, index, plan, ours, theirs, quick }: Comparison): Row[] {
  const of = (samples: readonly Sample[], state: State, figure: "p50" | "p99" | "max") =>
    median(samples.map((one) => latencyOf(one, state, index)[figure]));
  const failed = ours.reduce((total, one) => total + failuresOf(one, index), 0);
  const at = `${path}, ${plan.streams} chats`;
  const idle = of(ours, "idle", "p99");
  const loaded = of(ours, "loaded", "p99");
  const theirLoaded = of(theirs, "loaded", "p99");
  const shown = { question: QUESTION, unit: "ms" } as const;
  return [
    row({
      ...shown,
      figure: `${at}: p50 loaded / idle`,
      measured: of(ours, "loaded", "p50"),
      baseline: of(ours, "idle", "p50"),
    }),
    row({
      ...shown,
      figure: `${at}: p99 loaded / idle`,
      measured: loaded,
      baseline: idle,
      max: quick ? 50 : Math.max(1.5 * idle, idle + 2),
    }),
    row({
      ...shown,
      figure: `${at}: max loaded / idle`,
      measured: of(ours, "loaded", "max"),
      baseline: of(ours, "idle", "max"),
    }),
    row({
      ...shown,
      figure: `${at}: p99 loaded / one process`,
      measured: loaded,
      baseline: theirLoaded,
      maxRatio: 0.2,
    }),
    row({ ...shown, figure: `${at}: one process, idle p99`, measured: of(theirs, "idle", "p99") }),
    row({ ...shown, figure: `${at}: failed or unanswered`, unit: "requests", measured: failed, max: 0 }),
  ];
}

function chat(words: string): object {
  return { agent_id: "bench", message: `/sim ${words}`, on_disconnect: "cancel" };
}

/** Shows that both servers were under load, and how much of the delay the machine itself caused. */
function describeLoad({ streams }: Plan, ours: readonly Sample[], theirs: readonly Sample[]): Row[] {
  const shown = { question: QUESTION };
  const at = `${streams} chats`;
  return [
    row({
      ...shown,
      figure: `${at}: CPU of the tools' processes / one process`,
      unit: "%",
      measured: median(ours.map(({ busyPercent }) => busyPercent)),
      baseline: median(theirs.map(({ busyPercent }) => busyPercent)),
    }),
    row({
      ...shown,
      figure: `${at}: tokens delivered / one process`,
      unit: "/s",
      measured: median(ours.map(({ tokensPerSecond }) => tokensPerSecond)),
      baseline: median(theirs.map(({ tokensPerSecond }) => tokensPerSecond)),
    }),
    row({
      ...shown,
      figure: `${at}: the client's own lateness p99, loaded / idle`,
      unit: "ms",
      measured: median(ours.map(({ loaded }) => loaded.sendLatenessP99)),
      baseline: median(ours.map(({ idle }) => idle.sendLatenessP99)),
    }),
  ];
}

function latencyOf(sample: Sample, state: State, index: number): Latency {
  const latency = sample[state].latencies[index];
  if (!latency) throw new Error(`Expected a latency for path ${index}.`);
  return latency;
}

function failuresOf(sample: Sample, index: number): number {
  const { failed, unanswered } = latencyOf(sample, "loaded", index);
  return failed + unanswered;
}
