/** How many workers? The same mixed load on 1, 2, 4 and 8 of them: throughput, latency, memory, and a recommendation. */
import { Cannon, Pace, Streams } from "./lib/helpers.ts";
import { row, type Bench, type Row } from "./lib/row.ts";
import { Evenkeel } from "./lib/servers.ts";
import { seedActivities } from "./lib/seed.ts";
import { pssBytes } from "./lib/usage.ts";

const QUESTION = "tune";
const PATHS = ["/health", "/api/activities"];
const STREAMS = 20;
const CONNECTIONS = 32;
const PER_SECOND = 100;
/** The rule: of those as good as the best within these, the smallest. */
const ENOUGH_THROUGHPUT = 0.95;
const ENOUGH_LATENCY = { factor: 1.5, ms: 2 };

interface Trial {
  readonly workers: number;
  readonly perSecond: number;
  readonly p99: number;
  readonly megabytes: number;
}

export async function tune(bench: Bench): Promise<Row[]> {
  const { quick, note } = bench;
  note(
    `2 agents, ${STREAMS} streams at 20 tokens/s all the time; first ${CONNECTIONS} connections as fast as the server answers, ` +
      `then ${PER_SECOND} requests/s a route for the p99. Memory: proportional set size of the whole tree.`,
  );
  const trials: Trial[] = [];
  for (const workers of quick ? [1, 2, 4] : [1, 2, 4, 8]) trials.push(await tryOut(bench, workers));
  const best = recommend(trials, note);
  return [
    ...trials.flatMap(rowsOf),
    row({ question: QUESTION, figure: "recommended WORKERS", unit: "workers", measured: best.workers }),
  ];
}

async function tryOut({ quick, processes, modelUrl }: Bench, workers: number): Promise<Trial> {
  await using server = await Evenkeel.start(processes, { workers, agents: 2, modelUrl });
  await seedActivities(server.url);
  await using load = new Streams(processes);
  await using cannon = new Cannon(processes);
  await using pace = new Pace(processes);
  const body = { agent_id: "bench", message: "/sim ttft=0 rate=20 tokens=100000", on_disconnect: "cancel" };
  const target = { base: server.url, paths: PATHS };
  await load.open({ base: server.url, path: "/api/chat/stream", streams: STREAMS, body });
  const durationMs = quick ? 1_300 : 8_000;
  const { requests, seconds } = await cannon.throughput({ ...target, connections: CONNECTIONS, durationMs });
  const { latencies } = await pace.run({ ...target, perSecond: PER_SECOND, durationMs, graceMs: 2_000 });
  return {
    workers,
    perSecond: requests / seconds,
    p99: Math.max(...latencies.map(({ p99 }) => p99)),
    megabytes: pssBytes(server.tree()) / 2 ** 20,
  };
}

function rowsOf({ workers, perSecond, p99, megabytes }: Trial): Row[] {
  const shown = { question: QUESTION };
  return [
    row({ ...shown, figure: `WORKERS=${workers}: throughput`, unit: "/s", measured: perSecond }),
    row({ ...shown, figure: `WORKERS=${workers}: p99`, unit: "ms", measured: p99 }),
    row({ ...shown, figure: `WORKERS=${workers}: memory`, unit: "MB", measured: megabytes }),
  ];
}

function recommend(trials: readonly Trial[], note: (text: string) => void): Trial {
  const perSecond = Math.max(...trials.map((trial) => trial.perSecond)) * ENOUGH_THROUGHPUT;
  const least = Math.min(...trials.map((trial) => trial.p99));
  const p99 = Math.max(least * ENOUGH_LATENCY.factor, least + ENOUGH_LATENCY.ms);
  const byThroughput = trials.toSorted((a, b) => b.perSecond - a.perSecond)[0];
  const best = trials.find((trial) => trial.perSecond >= perSecond && trial.p99 <= p99) ?? byThroughput;
  if (!best) throw new Error("Expected at least one trial.");
  note(
    `WORKERS=${best.workers}: the smallest count within ${Math.round((1 - ENOUGH_THROUGHPUT) * 100)} % of the best throughput ` +
      `and within ${ENOUGH_LATENCY.factor}x or ${ENOUGH_LATENCY.ms} ms of the best p99; if none is both, the one with the best throughput.`,
  );
  return best;
}
