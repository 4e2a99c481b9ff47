/**
 * 200 times `kill -9`, of agents and workers in turns, under 200 runs with tools of every kind: is every run that was
 * acknowledged answered whole and once, did no unsafe tool run twice, and how soon does everything run again?
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { problemsOf, type ReadEvent } from "../src/testing/journal.ts";
import type { ProcessInfo } from "../src/process/protocol.ts";
import { row, type Bench, type Row } from "./lib/row.ts";
import { Evenkeel, getJson, postJson } from "./lib/servers.ts";
import { percentile } from "./lib/stats.ts";
import { isAlive } from "./lib/usage.ts";
import { sleep, until } from "./lib/wait.ts";

const QUESTION = "kills";
const TOKENS = 20;
const EVERY_MS = 700;
const PATIENCE_MS = 60_000;
/** A run is begun anew with each kill of its agent, for as long as the kills go on. */
const RUN_PATIENCE_MS = 300_000;
/** A run has a step with three tools, and the answer. */
const CALLS_A_RUN = 2;

interface Kill {
  readonly pid: number;
  readonly at: number;
}

interface Run {
  readonly status: string;
  readonly events: readonly ReadEvent[];
}

export async function kills({ quick, processes, modelUrl, note }: Bench): Promise<Row[]> {
  const [runs, times] = quick ? [20, 6] : [200, 200];
  note(
    `${times} kills, ${EVERY_MS} ms apart or, where that takes longer, once all processes of the kind are ready again; ${runs} runs at a time, each with two tools that are unsafe and one that is pure.`,
  );
  await using server = await Evenkeel.start(processes, { workers: 4, agents: 2, modelUrl });
  const folder = processes.folder();
  const trace = join(folder, "trace");
  const before = await requestsOf(modelUrl);
  const done = new AbortController();
  const lanes = Promise.all(Array.from({ length: runs }, () => lane(server.url, trace, done.signal)));
  // A lane may fail before it is waited for below.
  lanes.catch(() => {});
  await sleep(1_000);
  const killed: Kill[] = [];
  const returnedMs: number[] = [];
  const listening = server.listeners().length;
  for (let time = 0; time < times; time += 1) {
    const kind = time % 2 === 0 ? "agent" : "worker";
    const kill = await killOne(server, kind);
    killed.push(kill);
    if (kind === "worker") returnedMs.push(await listensAgainMs(server, kill, listening));
    await sleep(Math.max(0, EVERY_MS - (Date.now() - kill.at)));
  }
  done.abort();
  const finished = (await lanes).flat();
  for (const { events } of finished.filter(isIncomplete)) note(`A run ended with ${reasonOf(events)}`);
  return rowsOf({ finished, killed, returnedMs, trace, requests: (await requestsOf(modelUrl)) - before, quick });
}

/** Begins one run after another, and waits for the last one. */
async function lane(base: string, trace: string, signal: AbortSignal): Promise<Run[]> {
  const runs: Run[] = [];
  while (!signal.aborted) {
    const runId = crypto.randomUUID();
    const body = { agent_id: "bench", run_id: runId, message: words(trace) };
    await patiently(() => postJson(`${base}/api/chat/async`, body));
    const status = await until(() => endOf(base, runId), {
      what: `the end of run ${runId}`,
      timeoutMs: RUN_PATIENCE_MS,
      everyMs: 500,
    });
    const { events } = (await patiently(() => getJson(`${base}/api/runs/${runId}/events?limit=500`))) as {
      events: ReadEvent[];
    };
    runs.push({ status, events });
  }
  return runs;
}

function words(trace: string): string {
  const entry = JSON.stringify({ file: trace, ms: 100 });
  return `/sim ttft=0 tokens=${TOKENS} rate=40 tool=entry input=${entry} tool=outside input=${entry} tool=echo input={"message":"a"}`;
}

/** Undefined while the run goes on, or while no server answers. */
async function endOf(base: string, runId: string): Promise<string | undefined> {
  const run = (await getJson(`${base}/api/runs/${runId}`).catch(() => undefined)) as { status: string } | undefined;
  return run && !["queued", "running"].includes(run.status) ? run.status : undefined;
}

/** Asks again when the worker that was asked is killed. A repeated `run_id` is the same run. */
function patiently(ask: () => Promise<unknown>): Promise<unknown> {
  const once = () => ask().catch(() => undefined);
  return until(once, { what: "an answer", timeoutMs: PATIENCE_MS, everyMs: 100 });
}

async function killOne(server: Evenkeel, kind: "agent" | "worker"): Promise<Kill> {
  const pid = await until(() => oneOf(server, kind), { what: `a ${kind} to kill`, timeoutMs: PATIENCE_MS });
  process.kill(pid, "SIGKILL");
  return { pid, at: Date.now() };
}

/** A ready process, once all of its kind are ready: a child takes longer to boot than the time between two kills. */
async function oneOf(server: Evenkeel, kind: "agent" | "worker"): Promise<number | undefined> {
  const { processes } = await server.processes().catch(() => ({ processes: [] as ProcessInfo[] }));
  const ofKind = processes.filter((process) => process.kind === kind);
  // The list is up to a second old.
  const pids = ofKind.flatMap(({ pid, state }) => (pid && state === "ready" && isAlive(pid) ? [pid] : []));
  return pids.length > 0 && pids.length === ofKind.length ? pids[Math.floor(Math.random() * pids.length)] : undefined;
}

function listensAgainMs(server: Evenkeel, { pid, at }: Kill, count: number): Promise<number> {
  const ask = async () => {
    const pids = server.listeners();
    return pids.length >= count && !pids.includes(pid) ? Date.now() - at : undefined;
  };
  return until(ask, { what: `a worker in place of ${pid}`, timeoutMs: PATIENCE_MS });
}

async function requestsOf(modelUrl: string): Promise<number> {
  return ((await getJson(`${modelUrl}/sim/stats`)) as { requests: number }).requests;
}

interface Outcome {
  readonly finished: readonly Run[];
  readonly killed: readonly Kill[];
  readonly returnedMs: readonly number[];
  readonly trace: string;
  readonly requests: number;
  readonly quick: boolean;
}

function rowsOf({ finished, killed, returnedMs, trace, requests, quick }: Outcome): Row[] {
  const lines = readFileSync(trace, "utf8").trimEnd().split("\n");
  const again = finished.flatMap(({ events }) => claimedAgainMs(events, killed));
  const repeated = requests - finished.length * CALLS_A_RUN;
  const limitMs = quick ? 5_000 : 1_000;
  const figures = [
    { figure: "runs acknowledged and finished", unit: "runs", measured: finished.length },
    { figure: "of them not completed", unit: "runs", measured: finished.filter(isIncomplete).length, max: 0 },
    {
      figure: "journals with a hole, a repeat or a second answer",
      unit: "runs",
      measured: finished.filter(isBroken).length,
      max: 0,
    },
    { figure: "unsafe tools that ran twice", unit: "events", measured: lines.length - new Set(lines).size, max: 0 },
    {
      figure: "model calls repeated, for each run that lost its agent",
      unit: "x",
      measured: again.length === 0 ? Number.NaN : repeated / again.length,
      max: 1,
    },
    { figure: "a killed agent's run runs again: p99", unit: "ms", measured: percentile(again, 99), max: limitMs },
    { figure: "a worker listens again: p99", unit: "ms", measured: percentile(returnedMs, 99), max: limitMs },
  ] as const;
  return figures.map((figure) => row({ question: QUESTION, ...figure }));
}

function isIncomplete({ status }: Run): boolean {
  return status !== "completed";
}

/** The error of a run, as its journal tells it. */
function reasonOf(events: readonly ReadEvent[]): string {
  const { type, code = "", message = "" } = events.at(-1) ?? { type: "an empty journal" };
  return `${type} ${code}: ${message}`;
}

function isBroken({ events }: Run): boolean {
  return problemsOf(events).length > 0;
}

/** Times from each kill of the run's owner to the next claim. */
function claimedAgainMs(events: readonly ReadEvent[], killed: readonly Kill[]): number[] {
  const claims = events.filter(({ name }) => name === "evenkeel.claimed");
  return claims.slice(1).flatMap(({ timestamp }, index) => {
    const owner = String(claims[index]?.value?.["owner"]);
    const kill = killed.find(({ pid }) => owner.endsWith(`-${pid}`));
    return kill ? [timestamp - kill.at] : [];
  });
}
