/**
 * What do clients that never read cost in memory, in delay of clients that read, and for the run that they watch? And
 * how soon are they, and clients that are silently gone, closed? One worker, so that it has all of them.
 */
import type { Transport } from "./clients/viewers.ts";
import { Mutes, Viewers } from "./lib/helpers.ts";
import type { Processes } from "./lib/processes.ts";
import { row, type Bench, type Row } from "./lib/row.ts";
import { beginRuns } from "./lib/runs.ts";
import { Evenkeel, getJson, postJson } from "./lib/servers.ts";
import { median, sum } from "./lib/stats.ts";
import { rssBytes } from "./lib/usage.ts";
import { sleep, until } from "./lib/wait.ts";

const QUESTION = "slow";
const NAMES = { socket: "WebSockets", stream: "event streams" } as const;
const MUTES = 100;
const HEALTHY = 20;
/** The kernel takes some 4 MB for a client that does not read. Both are more. */
const BIG: Calls = { calls: 400, kb: 16 };
const QUICK_BIG: Calls = { calls: 100, kb: 64 };
/** A gauge is up to a second old, and a socket has to be full before its time runs: 100 times 4 MB take a while. */
const GRACE_MS = 5_000;
/** Half of what waits for a client whose socket is full. Clients that read have less, all together. */
const FULL_BYTES = 32 * 1024;
/** Longer than the second after which a gauge is told. */
const FULL_MS = 3_000;
/** The target is for the full run; a quick run, on a busy machine, only notices large misses. */
const MAX_ADDED_MB = { full: 30, quick: 120 };
const LEAVE_AT_ONCE = 25;
const LEAVE_AFTER_MS = 120;
const HALF_OPEN_MAX_MS = 35_000;

interface Calls {
  readonly calls: number;
  /** Of each call's result. */
  readonly kb: number;
}

interface Cost {
  readonly addedMb: number;
  readonly queuedKb: number;
  readonly closedMs: number;
  readonly codes: readonly number[];
  readonly p99: number;
  readonly faults: number;
}

export async function slow(bench: Bench): Promise<Row[]> {
  const { quick, processes, note } = bench;
  const slowClientMs = quick ? 1_000 : 10_000;
  note(
    `Mute clients watch a finished run of ${(BIG.calls * BIG.kb) / 1_000} MB, ${HEALTHY} healthy ones a live run each at 20 events/s. SLOW_CLIENT_MS is ${slowClientMs}. ` +
      "Queued: the highest of the worker's gauge, which it tells once a second, over the mute clients.",
  );
  const rows: Row[] = [];
  for (const transport of quick ? (["socket"] as const) : (["socket", "stream"] as const)) {
    await using target = await openTarget(bench, slowClientMs);
    rows.push(...costRows(await costOf(processes, target, transport), { transport, slowClientMs, quick }));
  }
  await using target = await openTarget(bench, slowClientMs);
  await using gone = new Mutes(processes);
  const halfOpen = quick ? undefined : gone.silent(target.server.url);
  rows.push(await leftBehind(processes, target, quick ? 100 : 1_000));
  rows.push(await runTime(processes, target, quick));
  if (halfOpen) {
    const figure = "a client that answers no ping until it is ended";
    rows.push(row({ question: QUESTION, figure, unit: "ms", measured: await halfOpen, max: HALF_OPEN_MAX_MS }));
  }
  return rows;
}

interface Target {
  readonly server: Evenkeel;
  readonly viewers: Viewers;
  /** Finished, and larger than what a socket takes. */
  readonly runId: string;
  readonly slowClientMs: number;
}

/** A server that has done nothing else before: a heap that has grown for one question hides what the next one costs. */
async function openTarget({ processes, modelUrl }: Bench, slowClientMs: number): Promise<Target & AsyncDisposable> {
  await using opening = new AsyncDisposableStack();
  const server = opening.use(await Evenkeel.start(processes, { workers: 1, agents: 1, modelUrl, slowClientMs }));
  const { run_id: runId } = (await postJson(`${server.url}/api/chat`, calling(BIG))) as { run_id: string };
  const viewers = opening.use(new Viewers(processes, "measure"));
  const live = await beginRuns(server.url, { runs: HEALTHY, words: "ttft=0 tokens=1000000 rate=20" });
  const each = live.map((run_id) => [{ channel: "run", run_id } as const]);
  await viewers.open({ base: server.url, transport: "socket", viewers: each });
  const target: Target = { server, viewers, runId, slowClientMs };
  // Open some clients first: the code and heap that they load are not the cost of a client.
  await warmUp(processes, target);
  const owned = opening.move();
  return { ...target, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function warmUp(processes: Processes, { server, runId }: Target): Promise<void> {
  await using mutes = new Mutes(processes);
  for (const transport of ["socket", "stream"] as const) {
    await mutes.open({ base: server.url, transport, runId, clients: 20 });
    await sleep(500);
    await mutes.close();
  }
  await sleep(1_500);
}

async function costOf(processes: Processes, target: Target, transport: Transport): Promise<Cost> {
  const { server, viewers, runId, slowClientMs } = target;
  await using mutes = new Mutes(processes);
  const pids = await server.pids("worker");
  const gauge = async (name: string) => sum(await server.gauges("worker", name));
  const idleBytes = rssBytes(pids);
  const closedBefore = await gauge("closed_as_slow");
  await viewers.take();
  const openedAt = performance.now();
  await mutes.open({ base: server.url, transport, runId, clients: MUTES });
  let [peakBytes, queuedBytes] = [0, 0];
  const allClosed = async () => {
    peakBytes = Math.max(peakBytes, rssBytes(pids));
    queuedBytes = Math.max(queuedBytes, await gauge("queued_bytes"));
    return (await gauge("closed_as_slow")) - closedBefore >= MUTES ? true : undefined;
  };
  await until(allClosed, { what: `${MUTES} mute clients to be closed`, timeoutMs: slowClientMs + 20_000, everyMs: 50 });
  const closedMs = performance.now() - openedAt;
  const codes = await mutes.readOn();
  const { p99, faults, lost } = await viewers.take();
  const megabyte = 1024 * 1024;
  return {
    addedMb: (peakBytes - idleBytes) / megabyte,
    queuedKb: queuedBytes / 1024 / MUTES,
    closedMs,
    codes,
    p99,
    faults: faults + lost,
  };
}

interface CostQuestion {
  readonly transport: Transport;
  readonly slowClientMs: number;
  readonly quick: boolean;
}

function costRows(cost: Cost, { transport, slowClientMs, quick }: CostQuestion): Row[] {
  const { addedMb, queuedKb, closedMs, codes, p99, faults } = cost;
  const at = `${MUTES} mute ${NAMES[transport]}`;
  const shown = { question: QUESTION };
  const max = slowClientMs + GRACE_MS;
  const rows = [
    row({
      ...shown,
      figure: `${at}: memory of the worker, most added`,
      unit: "MB",
      measured: addedMb,
      max: MAX_ADDED_MB[quick ? "quick" : "full"],
    }),
    row({ ...shown, figure: `${at}: queued for each`, unit: "KB", measured: queuedKb, max: 256 }),
    row({ ...shown, figure: `${at}: opened until the last is closed`, unit: "ms", measured: closedMs, max }),
    row({
      ...shown,
      figure: `${at}: the others' events, append to client p99`,
      unit: "ms",
      measured: p99,
      max: quick ? 200 : 50,
    }),
    row({ ...shown, figure: `${at}: what the others missed`, unit: "events", measured: faults, max: 0 }),
  ];
  if (transport === "stream") return rows;
  const reached = codes.filter((code) => code === 1013).length;
  return [...rows, row({ ...shown, figure: `${at}: saw 1013 when they read on`, unit: "clients", measured: reached })];
}

/** Clients that disconnect while their buffers are full, a few at a time. */
async function leftBehind(processes: Processes, { server, runId }: Target, clients: number): Promise<Row> {
  await using mutes = new Mutes(processes);
  for (let left = 0; left < clients; left += LEAVE_AT_ONCE) {
    await mutes.open({ base: server.url, transport: "stream", runId, clients: LEAVE_AT_ONCE });
    await sleep(LEAVE_AFTER_MS);
    await mutes.close();
  }
  // Wait for one more report of the gauge.
  await sleep(2_500);
  const viewers = sum(await server.gauges("worker", "viewers"));
  const figure = `viewers left of ${clients} event streams that went while full`;
  return row({ question: QUESTION, figure, unit: "clients", measured: viewers - HEALTHY, max: 0 });
}

async function runTime(processes: Processes, target: Target, quick: boolean): Promise<Row> {
  const [rounds, work] = quick ? [3, QUICK_BIG] : [9, BIG];
  const times: { alone: number[]; watched: number[] } = { alone: [], watched: [] };
  for (let round = 0; round < rounds; round += 1) {
    times.alone.push(await durationOf(processes, target, { work, clients: 0 }));
    times.watched.push(await durationOf(processes, target, { work, clients: 1 }));
  }
  return row({
    question: QUESTION,
    figure: `a run with ${work.calls} tool calls: a viewer that never reads / none`,
    unit: "ms",
    measured: median(times.watched),
    baseline: median(times.alone),
    maxRatio: quick ? 1.3 : 1.05,
  });
}

async function durationOf(
  processes: Processes,
  { server, slowClientMs }: Target,
  { work, clients }: { work: Calls; clients: number },
): Promise<number> {
  await using mutes = new Mutes(processes);
  const { url: base } = server;
  const runId = crypto.randomUUID();
  const gauge = async (name: string) => sum(await server.gauges("worker", name));
  const closedBefore = await gauge("closed_as_slow");
  await postJson(`${base}/api/chat/async`, { ...calling(work), run_id: runId });
  for (const transport of ["socket", "stream"] as const) await mutes.open({ base, transport, runId, clients });
  const ended = async () => {
    const run = (await getJson(`${base}/api/runs/${runId}`)) as { status: string; duration_ms: number };
    return run.status === "completed" ? run.duration_ms : undefined;
  };
  const ms = await until(ended, { what: "the run's end", timeoutMs: slowClientMs + 20_000, everyMs: 50 });
  // A viewer for which the kernel takes everything is no burden, and the measurement would say nothing.
  const wasFull = async () =>
    (await gauge("queued_bytes")) > FULL_BYTES || (await gauge("closed_as_slow")) > closedBefore ? true : undefined;
  if (clients > 0) await until(wasFull, { what: "a viewer whose socket was full", timeoutMs: FULL_MS, everyMs: 50 });
  return ms;
}

/** A chat whose tools give long results. */
function calling({ calls, kb }: Calls): object {
  return {
    agent_id: "bench",
    message: `/sim ttft=100 rate=0 tokens=3 ${`tool=blob input={"kb":${kb}} `.repeat(calls)}`,
  };
}
