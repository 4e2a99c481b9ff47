/**
 * What does a client get when five times as many runs come as the agents can do? The queue is full (503), or the principal's
 * share of it is (429). How soon is a refusal there, does it say when to come again, and does /health answer meanwhile?
 */
import { startFlood, startPace, startPosts } from "./lib/helpers.ts";
import { row, type Bench, type Row } from "./lib/row.ts";
import { Evenkeel } from "./lib/servers.ts";
import type { FloodResult } from "./clients/flood.ts";

const QUESTION = "overload";
const PATH = "/api/chat/async";
const OVER = 5;
const RUN_MS = 500;
const KEY = "bench-secret";
const HEALTH_PER_SECOND = 100;
const GRACE_MS = 3_000;
/** A quick run shares its cores with other work. */
const MAX_REFUSED_MS = { full: 50, quick: 250 };
const MAX_HEALTH_MS = { full: 100, quick: 400 };

interface Plan {
  readonly name: string;
  /** Runs that may wait. */
  readonly waiting: number;
  readonly env: Readonly<Record<string, string>>;
  readonly key?: string;
}

export async function overload(bench: Bench): Promise<Row[]> {
  const { quick, note } = bench;
  const [concurrency, windowMs] = quick ? [25, 2_000] : [100, 10_000];
  const perSecond = (OVER * concurrency * 1_000) / RUN_MS;
  note(
    `Runs of ${RUN_MS} ms, of which ${concurrency} are worked on at once: ${perSecond / OVER} a second are admitted, ${perSecond} a second come. ` +
      `Refusals are timed after the queue has become full; ${HEALTH_PER_SECOND} requests/s to /health meanwhile.`,
  );
  const full: Plan = { name: "queue full (503)", waiting: quick ? 300 : 10_000, env: {} };
  // The share of the queue that one principal with the role client has by default.
  const share: Plan = { name: "own share full (429)", waiting: 1_000, env: { API_KEYS: `c:${KEY}:client` }, key: KEY };
  const rows: Row[] = [];
  for (const plan of quick ? [full] : [full, share])
    rows.push(...(await flood(bench, plan, { concurrency, perSecond, windowMs })));
  return rows;
}

interface Size {
  readonly concurrency: number;
  readonly perSecond: number;
  readonly windowMs: number;
}

async function flood(bench: Bench, plan: Plan, { concurrency, perSecond, windowMs }: Size): Promise<Row[]> {
  const { processes, modelUrl, quick } = bench;
  const env = { ...plan.env, MAX_QUEUED: String(plan.key ? 10_000 : plan.waiting) };
  const key = plan.key === undefined ? {} : { key: plan.key };
  const options = { workers: 4, agents: 1, agentConcurrency: concurrency, modelUrl, env, ...key };
  await using server = await Evenkeel.start(processes, options);
  const headers = plan.key === undefined ? {} : { authorization: `Bearer ${plan.key}` };
  const body = { agent_id: "bench", message: `/sim ttft=${RUN_MS} tokens=1` };
  const to = { base: server.url, path: PATH, body, headers };
  await using posts = startPosts(processes, "load");
  await posts.run({ ...to, concurrency: 32, requests: plan.waiting, durationMs: 60_000, status: 202 });
  await using clients = startFlood(processes);
  await using pace = startPace(processes);
  const health = { base: server.url, paths: ["/health"], perSecond: HEALTH_PER_SECOND, graceMs: GRACE_MS };
  const job = { ...to, perSecond, graceMs: GRACE_MS };
  // Warm up: fresh processes are slow, and the agents have taken some runs of the queue meanwhile.
  await clients.run({ ...job, durationMs: windowMs / 2 });
  const [flooded, { latencies }] = await Promise.all([
    clients.run({ ...job, durationMs: windowMs }),
    pace.run({ ...health, durationMs: windowMs }),
  ]);
  const max = quick ? MAX_HEALTH_MS.quick : MAX_HEALTH_MS.full;
  const healthP99 = latencies[0]?.p99 ?? Number.NaN;
  return [
    ...refusals(plan, flooded, quick),
    row({ question: QUESTION, figure: `${plan.name}: /health p99 meanwhile`, unit: "ms", measured: healthP99, max }),
  ];
}

function refusals({ name }: Plan, flooded: FloodResult, quick: boolean): Row[] {
  const { admitted, refused, refusedP50, refusedP99, refusedMax, withoutRetryAfter, failed } = flooded;
  const max = quick ? MAX_REFUSED_MS.quick : MAX_REFUSED_MS.full;
  // Without a refusal nothing was measured.
  const unhelpful = refused === 0 ? Number.NaN : withoutRetryAfter + failed;
  const shown = (figure: string) => ({ question: QUESTION, figure: `${name}: ${figure}` });
  return [
    row({ ...shown("admitted"), unit: "requests", measured: admitted }),
    row({ ...shown("refused"), unit: "requests", measured: refused }),
    row({ ...shown("time to the refusal, p50"), unit: "ms", measured: refusedP50 }),
    row({ ...shown("time to the refusal, p99"), unit: "ms", measured: refusedP99, max }),
    row({ ...shown("time to the refusal, max"), unit: "ms", measured: refusedMax }),
    row({ ...shown("failed, or without Retry-After"), unit: "requests", measured: unhelpful, max: 0 }),
  ];
}
