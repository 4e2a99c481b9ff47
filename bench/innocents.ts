/**
 * Each bad deed of a tool in turn, beside 40 runs that only stream: does one of these runs fail or begin again, and how
 * late do their frames come? The seconds between two deeds show how late frames are on this machine anyway.
 */
import type { ReadEvent } from "../src/testing/journal.ts";
import { row, type Bench, type Row } from "./lib/row.ts";
import { Evenkeel, getJson, postJson } from "./lib/servers.ts";
import { percentile } from "./lib/stats.ts";
import { sleep } from "./lib/wait.ts";

const QUESTION = "innocents";
const INNOCENTS = 40;
/** The pace of each innocent run: five tokens a second. */
const PACE_MS = 200;
const QUIET_MS = 2_000;
const MAX_LATE_MS = 50;
const EVENTS_A_PAGE = 500;
/** Deeds of `src/agent/tools/fixtures/naughty.ts`. */
const DEEDS = [
  "exit",
  "exit later",
  "abort",
  "kill itself",
  "kill its parent",
  "throw from a timer",
  "throw after its end",
  "reject astray",
  "throw null",
  "send to its parent",
  "return 50 MB",
  "replace globals",
  "fill the heap",
  "allocate at once",
  "leak buffers",
  "spin for ever",
  "match for ever",
  "loop in microtasks",
  "wait on memory",
  "be inside native code",
  "print for ever",
  "leave a timer",
] as const;
/** One for each kind: ends its process, escapes its call, fills memory, spins. */
const QUICK_DEEDS: readonly string[] = ["exit", "throw from a timer", "fill the heap", "spin for ever"];

interface Span {
  readonly from: number;
  readonly to: number;
}

interface Done extends Span {
  readonly deed: string;
}

interface Frame {
  /** The time of its append, in milliseconds since the epoch. */
  readonly at: number;
  /** Its distance from the pace of the run's best frame. */
  readonly lateMs: number;
}

export async function innocents({ quick, processes, modelUrl, note }: Bench): Promise<Row[]> {
  const deeds = DEEDS.filter((deed) => !quick || QUICK_DEEDS.includes(deed));
  note(`${INNOCENTS} runs of ${1_000 / PACE_MS} tokens a second beside ${deeds.length} deeds: ${deeds.join(", ")}.`);
  const rows: Row[] = [];
  for (const agents of quick ? [2] : [1, 2]) {
    await using server = await Evenkeel.start(processes, { workers: 1, agents, modelUrl });
    rows.push(...(await beside({ server, deeds, agents, quick, note })));
  }
  return rows;
}

interface Round extends Pick<Bench, "quick" | "note"> {
  readonly server: Evenkeel;
  readonly deeds: readonly string[];
  readonly agents: number;
}

async function beside({ server, deeds, agents, quick, note }: Round): Promise<Row[]> {
  const body = { agent_id: "bench", message: `/sim ttft=0 tokens=100000 rate=${1_000 / PACE_MS}` };
  const posted = await Promise.all(
    Array.from({ length: INNOCENTS }, () => postJson(`${server.url}/api/chat/async`, body)),
  );
  const runIds = posted.map((answer) => (answer as { run_id: string }).run_id);
  const pids = new Set(await server.pids("agent"));
  const done: Done[] = [];
  for (const deed of deeds) {
    await sleep(QUIET_MS);
    done.push(await doIt(server, deed));
  }
  await sleep(QUIET_MS);
  const runs = await Promise.all(runIds.map((runId) => getJson(`${server.url}/api/runs/${runId}`)));
  const frames = (await Promise.all(runIds.map((runId) => framesOf(server, runId)))).flat();
  const { during, between } = split(frames, done);
  const worst = done
    .map((span) => ({ deed: span.deed, p99: p99Of(frames.filter((frame) => isIn(frame, span))) }))
    .toSorted((a, b) => b.p99 - a.p99);
  const named = worst.slice(0, 5).map(({ deed, p99 }) => `${deed} ${p99.toFixed(0)} ms`);
  note(
    `AGENTS=${agents}: ${during.length} frames beside deeds, ${between.length} without; the deeds with the latest frames (p99) were ${named.join(", ")}.`,
  );
  const shown = (figure: string) => ({ question: QUESTION, figure: `AGENTS=${agents}: ${figure}` });
  const hurt = (runs as { status: string; attempts: number }[]).filter(({ status }) => status !== "running");
  const again = (runs as { attempts: number }[]).filter(({ attempts }) => attempts > 1);
  const gone = [...pids].filter((pid) => !server.tree().includes(pid));
  return [
    row({ ...shown("innocent runs that failed"), unit: "runs", measured: hurt.length, max: 0 }),
    row({ ...shown("innocent runs that began again"), unit: "runs", measured: again.length, max: 0 }),
    row({ ...shown("agents that died"), unit: "x", measured: gone.length, max: 0 }),
    row({
      ...shown("lateness of a frame beside a deed / without: maximum"),
      unit: "ms",
      measured: latest(during),
      baseline: latest(between),
    }),
    row({
      ...shown("lateness of a frame beside a deed / without: p99"),
      unit: "ms",
      measured: p99Of(during),
      baseline: p99Of(between),
      max: quick ? undefined : MAX_LATE_MS,
    }),
  ];
}

async function doIt({ url }: Evenkeel, deed: string): Promise<Done> {
  const from = Date.now();
  const input = JSON.stringify({ deed, argument: "x" });
  await postJson(`${url}/api/chat`, { agent_id: "naughty", message: `/sim ttft=0 tool=naughty input=${input}` });
  return { deed, from, to: Date.now() };
}

async function framesOf({ url }: Evenkeel, runId: string): Promise<Frame[]> {
  const frames: { at: number; offset: number }[] = [];
  for (let after = 0; ;) {
    const page = await getJson(`${url}/api/runs/${runId}/events?after=${after}&limit=${EVENTS_A_PAGE}`);
    const { events } = page as { events: ReadEvent[] };
    frames.push(...events.flatMap(offsetOf));
    const last = events.at(-1);
    if (!last) break;
    after = last.seq;
  }
  const best = Math.min(...frames.map(({ offset }) => offset));
  return frames.map(({ at, offset }) => ({ at, lateMs: offset - best }));
}

/** The model numbers its tokens; the last number in a frame tells how far it goes. */
function offsetOf({ type, delta, timestamp }: ReadEvent): { at: number; offset: number }[] {
  const token = /tok(\d+)\D*$/.exec(type === "TEXT_MESSAGE_CONTENT" ? (delta ?? "") : "")?.[1];
  return token === undefined ? [] : [{ at: timestamp, offset: timestamp - Number(token) * PACE_MS }];
}

/** Frames before the first deed are left out: that is when the runs start. */
function split(frames: readonly Frame[], done: readonly Done[]): { during: Frame[]; between: Frame[] } {
  const first = (done[0]?.from ?? 0) - QUIET_MS / 2;
  const seen = frames.filter(({ at }) => at >= first);
  const { during = [], between = [] } = Object.groupBy(seen, (frame) =>
    done.some((span) => isIn(frame, span)) ? "during" : "between",
  );
  return { during, between };
}

function isIn({ at }: Frame, { from, to }: Span): boolean {
  return at >= from && at <= to;
}

function latest(frames: readonly Frame[]): number {
  return percentile(
    frames.map(({ lateMs }) => lateMs),
    100,
  );
}

function p99Of(frames: readonly Frame[]): number {
  return percentile(
    frames.map(({ lateMs }) => lateMs),
    99,
  );
}
