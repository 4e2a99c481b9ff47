/**
 * How many workers and agents? Three loads (plain requests, streaming chats, both) on every pair of counts: what is
 * delivered, how late, in how much memory; for each load the fewest that are as good as the best (`fewest.ts`), and
 * whether the server's own advice agrees.
 */
import type { Busy } from "../src/process/scale.ts";
import { ENOUGH, fewest, middle, type Trial, type Window } from "./lib/fewest.ts";
import { Cannon, startPace, Streams } from "./lib/helpers.ts";
import { advised, busyUnder, type Counts } from "./lib/live-advice.ts";
import { row, type Bench, type Row } from "./lib/row.ts";
import { seedActivities } from "./lib/seed.ts";
import { Evenkeel } from "./lib/servers.ts";
import { median } from "./lib/stats.ts";
import { pssBytes } from "./lib/usage.ts";
import { sleep } from "./lib/wait.ts";

const QUESTION = "tune";
const PATHS = ["/health", "/api/activities"];
const CONNECTIONS = 32;
const PER_SECOND = 100;
const CHAT = { agent_id: "bench", message: "/sim ttft=0 rate=10 tokens=100000", on_disconnect: "cancel" };
const LOADS = ["requests", "streams", "both"] as const;
type Load = (typeof LOADS)[number];

interface Plan {
  readonly rounds: number;
  readonly workers: readonly number[];
  readonly agents: readonly number[];
  readonly streams: number;
  readonly windowMs: number;
}

const QUICK: Plan = { rounds: 1, workers: [1, 2], agents: [1], streams: 50, windowMs: 1_300 };
const FULL: Plan = { rounds: 5, workers: [1, 2, 4, 8], agents: [1, 2], streams: 200, windowMs: 3_500 };

export async function tune(bench: Bench): Promise<Row[]> {
  const plan = bench.quick ? QUICK : FULL;
  bench.note(
    `requests: ${CONNECTIONS} connections as fast as the server answers. streams: ${plan.streams} chats at 10 tokens/s ` +
      `each. Then ${PER_SECOND} requests/s a route for the p99. Memory: proportional set size of the whole tree. ` +
      `Each figure is the median of ${plan.rounds} rounds.`,
  );
  const pairs = plan.workers.flatMap((workers) =>
    plan.agents.map((agents) => ({ workers, agents, windows: newWindows() })),
  );
  for (let round = 0; round < plan.rounds; round += 1)
    // There and back, so that a machine that becomes slower favours no pair.
    for (const { windows, ...counts } of round % 2 === 0 ? pairs : pairs.toReversed()) {
      const one = await tryOut(bench, counts, plan);
      for (const load of LOADS) windows[load].push(one[load]);
    }
  return LOADS.flatMap((load) => {
    const trials = pairs.map(({ windows, ...counts }) => ({ ...counts, windows: windows[load] }));
    return [...trials.flatMap((trial) => rowsOf(load, trial)), ...recommend(load, trials, bench.note)];
  });
}

function newWindows(): Record<Load, Window[]> {
  return { requests: [], streams: [], both: [] };
}

async function tryOut({ processes, modelUrl }: Bench, counts: Counts, plan: Plan): Promise<Record<Load, Window>> {
  await using server = await Evenkeel.start(processes, { ...counts, modelUrl });
  await seedActivities(server.url);
  const { windowMs } = plan;
  const requests = await measure(processes, server, { windowMs, isAsked: true });
  await using streams = new Streams(processes);
  await streams.open({ base: server.url, path: "/api/chat/stream", streams: plan.streams, body: CHAT });
  await sleep(windowMs / 2);
  const onlyStreams = await measure(processes, server, { windowMs, isAsked: false, streams });
  return {
    requests,
    streams: onlyStreams,
    both: await measure(processes, server, { windowMs, isAsked: true, streams }),
  };
}

interface Measured {
  readonly windowMs: number;
  /** Plain requests are part of the load. */
  readonly isAsked: boolean;
  readonly streams?: Streams;
}

async function measure(
  processes: Bench["processes"],
  server: Evenkeel,
  { windowMs, isAsked, streams }: Measured,
): Promise<Window> {
  const target = { base: server.url, paths: PATHS };
  const before = { at: performance.now(), tokens: await tokensOf(streams) };
  await using cannon = new Cannon(processes);
  const shoot = async () => {
    const { requests, seconds } = await cannon.throughput({
      ...target,
      connections: CONNECTIONS,
      durationMs: windowMs,
    });
    return requests / seconds;
  };
  const answering = isAsked ? shoot() : sleep(windowMs).then(() => Number.NaN);
  const busy = await busyUnder(server, { load: answering, skipMs: Math.min(2_000, windowMs / 2) });
  const answersPerSecond = await answering;
  const seconds = (performance.now() - before.at) / 1_000;
  const tokensPerSecond = ((await tokensOf(streams)) - before.tokens) / seconds;
  await using pace = startPace(processes);
  const { latencies } = await pace.run({ ...target, perSecond: PER_SECOND, durationMs: windowMs, graceMs: 2_000 });
  return {
    answersPerSecond,
    tokensPerSecond,
    p99: Math.max(...latencies.map(({ p99 }) => p99)),
    megabytes: pssBytes(server.tree()) / 2 ** 20,
    busy,
  };
}

async function tokensOf(streams: Streams | undefined): Promise<number> {
  return streams ? (await streams.count()).tokens : Number.NaN;
}

function rowsOf(load: Load, trial: Trial): Row[] {
  const at = `${load}, WORKERS=${trial.workers} AGENTS=${trial.agents}`;
  const figures = [
    { figure: `${at}: answers`, unit: "/s", measured: middle(trial, (window) => window.answersPerSecond) },
    { figure: `${at}: tokens`, unit: "/s", measured: middle(trial, (window) => window.tokensPerSecond) },
    { figure: `${at}: p99`, unit: "ms", measured: middle(trial, (window) => window.p99) },
    { figure: `${at}: memory`, unit: "MB", measured: middle(trial, (window) => window.megabytes) },
  ] as const;
  return figures
    .filter(({ measured }) => !Number.isNaN(measured))
    .map((figure) => row({ question: QUESTION, ...figure }));
}

function recommend(load: Load, trials: readonly Trial[], note: (text: string) => void): Row[] {
  const { trial, isEnough } = fewest(trials);
  const tolerance = `${Math.round((1 - ENOUGH.throughput) * 100)} % of the best throughput and within ${ENOUGH.latency.factor}x or ${ENOUGH.latency.ms} ms of the best p99`;
  note(
    `${load}: WORKERS=${trial.workers} AGENTS=${trial.agents}, ${isEnough ? `the fewest processes that were within ${tolerance} in any round` : "the best p99, as no pair was near the best in everything"}.`,
  );
  const spread = Math.round(100 * Math.max(...trials.map(spreadOf)));
  if (load !== "streams") note(`${load}: answers of the same pair differed by up to ${spread} % between rounds.`);
  note(`${load}: the live advice leads from ${trials.map(stepOf).join(", ")} (workers+agents).`);
  const shown = { question: QUESTION, unit: "workers" } as const;
  const then = adviceAt(trial);
  const moved = Math.abs(then.workers - trial.workers) + Math.abs(then.agents - trial.agents);
  return [
    row({ ...shown, figure: `${load}: recommended WORKERS (AGENTS=${trial.agents})`, measured: trial.workers }),
    row({ ...shown, figure: `${load}: by how many the live advice differs there`, measured: moved, max: 0 }),
  ];
}

/** @returns the range of the rounds as a share of their median */
function spreadOf({ windows }: Trial): number {
  const answers = windows.map(({ answersPerSecond }) => answersPerSecond);
  return (Math.max(...answers) - Math.min(...answers)) / median(answers);
}

function adviceAt(trial: Trial): Counts {
  const middleOf = (kind: "workers" | "agents"): Busy => ({
    busyPercent: middle(trial, ({ busy }) => busy[kind].busyPercent),
    workPercent: middle(trial, ({ busy }) => busy[kind].workPercent),
  });
  return advised(trial, { workers: middleOf("workers"), agents: middleOf("agents") });
}

function stepOf(trial: Trial): string {
  const { workers, agents } = adviceAt(trial);
  const isSame = workers === trial.workers && agents === trial.agents;
  return `${trial.workers}+${trial.agents} ${isSame ? "nowhere" : `to ${workers}+${agents}`}`;
}
