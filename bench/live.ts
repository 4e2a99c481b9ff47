/**
 * How soon does an appended event reach a viewer, and what does a viewer cost? Many streaming runs, each watched over
 * WebSockets and event streams; the age of an event is taken where it arrives.
 */
import type { Transport } from "./clients/viewers.ts";
import { Viewers } from "./lib/helpers.ts";
import { row, type Bench, type Row } from "./lib/row.ts";
import { beginRuns } from "./lib/runs.ts";
import { Evenkeel } from "./lib/servers.ts";
import { median } from "./lib/stats.ts";
import { cpuMs } from "./lib/usage.ts";
import { sleep } from "./lib/wait.ts";

const QUESTION = "live";
const EVENTS_PER_RUN = 20;
const WORDS = `ttft=0 tokens=1000000 rate=${EVENTS_PER_RUN}`;
/**
 * Viewers of each run. The frames a second are the same: many runs with one viewer each, or a tenth of the runs with
 * ten.
 */
const FAN_OUTS = [1, 10] as const;
const TRANSPORTS = ["socket", "stream"] as const;
const NAMES = { socket: "WebSocket", stream: "event stream" } as const;
/** Long enough that the 10 ms steps in which the kernel tells CPU time are small against what one window costs. */
const QUICK_WINDOW_MS = 1_500;
/** A worker's gauges cover the last 5 to 10 s. */
const GAUGE = "append_to_socket_p99_ms";

export async function live(bench: Bench): Promise<Row[]> {
  bench.note(
    `Runs at ${EVENTS_PER_RUN} tokens/s, an event each. Age: the arrival in the client minus the event's timestamp, both of one clock, whole ms. ` +
      "CPU a frame: of the one worker, its polling included, over frames that arrived.",
  );
  return [...(await ageRows(bench)), ...(await costRows(bench))];
}

async function ageRows({ quick, processes, modelUrl }: Bench): Promise<Row[]> {
  const perSecond = quick ? 1_000 : 5_000;
  await using server = await Evenkeel.start(processes, { workers: 4, agents: 2, modelUrl });
  await using viewers = new Viewers(processes, "measure");
  const runIds = await beginRuns(server.url, { runs: perSecond / EVENTS_PER_RUN, words: WORDS });
  await viewers.open({ base: server.url, transport: "socket", viewers: runIds.map((runId) => [runOf(runId)]) });
  await sleep(quick ? 700 : 3_000);
  await viewers.take();
  const startedAt = performance.now();
  await sleep(quick ? 2_000 : 15_000);
  const seen = await viewers.take();
  const eventsPerSecond = (seen.frames * 1_000) / (performance.now() - startedAt);
  const gauges = await server.gauges("worker", GAUGE);
  const shown = { question: QUESTION };
  return [
    row({ ...shown, figure: `events appended and delivered, of ${perSecond}`, unit: "/s", measured: eventsPerSecond }),
    row({
      ...shown,
      figure: `short of ${perSecond} events a second by`,
      unit: "%",
      measured: 100 - (eventsPerSecond * 100) / perSecond,
      max: quick ? 30 : 10,
    }),
    row({ ...shown, figure: "append to client: p50", unit: "ms", measured: seen.p50 }),
    row({ ...shown, figure: "append to client: p99", unit: "ms", measured: seen.p99, max: quick ? 100 : 25 }),
    row({
      ...shown,
      figure: "append to socket: p99 by the worst worker's own gauge",
      unit: "ms",
      measured: gauges.length > 0 ? Math.max(...gauges) : Number.NaN,
      max: quick ? 100 : 25,
    }),
    row({
      ...shown,
      figure: "holes, repeats and lost sockets",
      unit: "events",
      measured: seen.faults + seen.lost,
      max: 0,
    }),
  ];
}

interface Combination {
  readonly transport: Transport;
  readonly fanOut: (typeof FAN_OUTS)[number];
}

const COMBINATIONS: readonly Combination[] = TRANSPORTS.flatMap((transport) =>
  FAN_OUTS.map((fanOut) => ({ transport, fanOut })),
);

async function costRows({ quick, processes, modelUrl }: Bench): Promise<Row[]> {
  await using server = await Evenkeel.start(processes, { workers: 1, agents: 1, modelUrl });
  await using viewers = new Viewers(processes, "measure");
  const runIds = await beginRuns(server.url, { runs: 100, words: WORDS });
  const pids = await server.pids("worker");
  const costs = new Map<Combination, number[]>(COMBINATIONS.map((combination) => [combination, []]));
  for (let round = 0; round < 3; round += 1) {
    for (const combination of COMBINATIONS) {
      const watched = watch(runIds, combination);
      await viewers.open({ base: server.url, transport: combination.transport, viewers: watched });
      await sleep(400);
      await viewers.take();
      const before = cpuMs(pids);
      await sleep(quick ? QUICK_WINDOW_MS : 3_000);
      const { frames } = await viewers.take();
      costs.get(combination)?.push(((cpuMs(pids) - before) * 1_000) / frames);
      await viewers.close();
    }
  }
  const of = (transport: Transport, fanOut: number) =>
    median([...costs].find(([one]) => one.transport === transport && one.fanOut === fanOut)?.[1] ?? []);
  const shown = { question: QUESTION, unit: "µs" } as const;
  return [
    ...TRANSPORTS.map((transport) =>
      row({
        ...shown,
        figure: `CPU a frame and viewer, ${NAMES[transport]}: 10 viewers a run / 1`,
        measured: of(transport, 10),
        baseline: of(transport, 1),
        // Reading and serialising once for ten viewers must not cost more than for one.
        maxRatio: quick ? 1.3 : 1,
      }),
    ),
    ...FAN_OUTS.map((fanOut) =>
      row({
        ...shown,
        figure: `CPU a frame and viewer, ${fanOut} a run: WebSocket / event stream`,
        measured: of("socket", fanOut),
        baseline: of("stream", fanOut),
      }),
    ),
  ];
}

/** Opens as many viewers as there are runs, spread over all runs or over a tenth of them. */
function watch(runIds: readonly string[], { fanOut }: Combination) {
  const watched = runIds.slice(0, runIds.length / fanOut);
  return watched.flatMap((runId) => Array.from({ length: fanOut }, () => [runOf(runId)]));
}

const runOf = (runId: string) => ({ channel: "run", run_id: runId }) as const;
