/**
 * What does a request cost over the least that node:http can do? CPU of the serving process per request of
 * /health and /api/activities, one worker, against bare node:http that sends the same bytes.
 */
import type { BareAnswer } from "./baselines/bare-http.ts";
import { bareHttp, Cannon } from "./lib/helpers.ts";
import { row, type Bench, type Row } from "./lib/row.ts";
import { Evenkeel } from "./lib/servers.ts";
import { seedActivities } from "./lib/seed.ts";
import { median } from "./lib/stats.ts";
import { cpuMs } from "./lib/usage.ts";

const QUESTION = "hot path";
const TARGETS = [
  { path: "/health", maxRatio: 1.2 },
  { path: "/api/activities", maxRatio: 1.3 },
] as const;
/** Short rounds on a busy machine scatter by a fifth. */
const QUICK_TOLERANCE = 1.6;
const CONNECTIONS = 20;
/** Headers that node:http adds by itself. */
const OWN_HEADERS = new Set(["date", "connection", "keep-alive"]);

interface Server {
  readonly base: string;
  readonly pids: readonly number[];
}

interface Cost {
  readonly cpuMicros: number;
  readonly perSecond: number;
}

export async function hotPath({ quick, processes, modelUrl, note }: Bench): Promise<Row[]> {
  await using server = await Evenkeel.start(processes, { workers: 1, agents: 1, modelUrl });
  await seedActivities(server.url);
  await using bare = bareHttp(processes);
  await using cannon = new Cannon(processes);
  const answers = await Promise.all(TARGETS.map(({ path }) => copyAnswer(server.url, path)));
  const ours: Server = { base: server.url, pids: await server.pids("worker") };
  const theirs: Server = { base: await bare.listen(answers), pids: [bare.pid] };
  note(
    `autocannon, ${CONNECTIONS} connections, as fast as the server answers; both in turns. ` +
      answers.map(({ path, body }) => `${path}: ${body.length} bytes`).join(", "),
  );
  const measure = (target: Server, path: string, durationMs: number) => costOf(cannon, target, { path, durationMs });
  const rows: Row[] = [];
  for (const { path, maxRatio } of TARGETS) {
    for (const target of [ours, theirs]) await measure(target, path, quick ? 600 : 3_000);
    const costs: { ours: Cost; theirs: Cost }[] = [];
    for (let round = 0; round < (quick ? 3 : 7); round += 1) {
      const durationMs = quick ? 800 : 3_000;
      costs.push({ ours: await measure(ours, path, durationMs), theirs: await measure(theirs, path, durationMs) });
    }
    rows.push(...compare(path, costs, quick ? maxRatio * QUICK_TOLERANCE : maxRatio));
  }
  return rows;
}

function compare(path: string, costs: readonly { ours: Cost; theirs: Cost }[], maxRatio: number): Row[] {
  const of = (who: "ours" | "theirs", figure: keyof Cost) => median(costs.map((cost) => cost[who][figure]));
  const figures = { question: QUESTION };
  return [
    row({
      ...figures,
      figure: `${path}: CPU a request / bare node:http`,
      unit: "µs",
      measured: of("ours", "cpuMicros"),
      baseline: of("theirs", "cpuMicros"),
      maxRatio,
    }),
    row({
      ...figures,
      figure: `${path}: requests / bare node:http`,
      unit: "/s",
      measured: of("ours", "perSecond"),
      baseline: of("theirs", "perSecond"),
    }),
  ];
}

async function costOf(
  cannon: Cannon,
  { base, pids }: Server,
  { path, durationMs }: { path: string; durationMs: number },
): Promise<Cost> {
  const before = cpuMs(pids);
  const { requests, seconds } = await cannon.throughput({ base, paths: [path], connections: CONNECTIONS, durationMs });
  return { cpuMicros: ((cpuMs(pids) - before) * 1_000) / requests, perSecond: requests / seconds };
}

/** The server's answer, byte for byte, except the headers that node:http writes itself. */
async function copyAnswer(base: string, path: string): Promise<BareAnswer> {
  const response = await fetch(base + path);
  const headers = [...response.headers].filter(([name]) => !OWN_HEADERS.has(name)).flat();
  return { path, headers, body: new Uint8Array(await response.arrayBuffer()) };
}
