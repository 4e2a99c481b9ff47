/** What does an open stream cost? Many chats at once that say a word now and then: memory, and /health meanwhile. */
import { startPace, Streams } from "./lib/helpers.ts";
import { row, type Bench, type Row } from "./lib/row.ts";
import { Evenkeel } from "./lib/servers.ts";
import { openFilesLimit, rssBytes } from "./lib/usage.ts";
import { sleep, until } from "./lib/wait.ts";

const QUESTION = "hold";
const WORKERS = 2;
const AGENTS = 2;
/** File descriptors that one process needs besides its streams. */
const OTHER_FILES = 200;
const WARM_UP_STREAMS = 100;

export async function hold(bench: Bench): Promise<Row[]> {
  const { quick, processes, modelUrl, note } = bench;
  const streams = affordable(quick ? 1_000 : 10_000, note);
  const rate = quick ? 0.5 : 0.2;
  note(`${WORKERS} workers, ${AGENTS} agents; each stream gets ${rate} tokens/s.`);
  const options = { workers: WORKERS, agents: AGENTS, agentConcurrency: streams, modelUrl };
  await using server = await Evenkeel.start(processes, options);
  await using load = new Streams(processes);
  await using pace = startPace(processes);
  const body = { agent_id: "bench", message: `/sim ttft=0 tokens=100000 rate=${rate}`, on_disconnect: "cancel" };
  const open = { base: server.url, path: "/api/chat/stream", body };
  // Open some streams first: the code and heap that they load are not the cost of a stream.
  await load.open({ ...open, streams: WARM_UP_STREAMS });
  await load.close();
  await sleep(quick ? 700 : 3_000);
  const workers = await server.pids("worker");
  const idleBytes = rssBytes(workers);
  const startedAt = performance.now();
  await load.open({ ...open, streams });
  const allSpeak = async () => ((await load.count()).speaking >= streams ? true : undefined);
  await until(allSpeak, { what: `a token on each of ${streams} streams`, timeoutMs: quick ? 15_000 : 60_000 });
  const openedMs = performance.now() - startedAt;
  await sleep(quick ? 500 : 5_000);
  const { latencies } = await pace.run({
    base: server.url,
    paths: ["/health"],
    perSecond: 100,
    durationMs: quick ? 2_000 : 15_000,
    graceMs: 2_000,
  });
  const kilobytes = (rssBytes(workers) - idleBytes) / 1024 / streams;
  const held = await load.count();
  const shown = { question: QUESTION };
  return [
    row({ ...shown, figure: "streams held", unit: "streams", measured: held.open }),
    row({ ...shown, figure: "streams lost", unit: "streams", measured: streams - held.open, max: 0 }),
    row({ ...shown, figure: "until each had its first token", unit: "ms", measured: openedMs }),
    row({ ...shown, figure: "memory of the workers a stream", unit: "KB", measured: kilobytes, max: quick ? 70 : 35 }),
    row({
      ...shown,
      figure: "/health meanwhile: p99",
      unit: "ms",
      measured: latencies[0]?.p99 ?? Number.NaN,
      max: quick ? 100 : 50,
    }),
  ];
}

/** Client and model each have one socket for each stream, and each is one process. */
function affordable(wanted: number, note: (text: string) => void): number {
  const limit = openFilesLimit();
  const possible = Math.min(wanted, limit - OTHER_FILES);
  if (possible < wanted) {
    note(
      `A process may open only ${limit} files here (ulimit -n), so ${possible} streams instead of ${wanted} were held.`,
    );
  }
  return possible;
}
