/**
 * What do 20 clients cost that read a thread of 28 MB, page by page, from one worker? Its memory, and what /health waits
 * meanwhile.
 */
import { startPace, startReads } from "./lib/helpers.ts";
import { LONG_THREAD_MB, makeLongThread } from "./lib/long-thread.ts";
import { row, type Bench, type Row } from "./lib/row.ts";
import { Evenkeel } from "./lib/servers.ts";
import { rssBytes } from "./lib/usage.ts";

const QUESTION = "reads";
const READERS = 20;
const SAMPLE_MS = 5;
const HEALTH = { paths: ["/health"], perSecond: 100, graceMs: 2_000 };
const MAX_MB = 50;
const MAX_HEALTH_MS = 50;
/** A quick run happens on a busy machine. */
const QUICK_TOLERANCE = 5;

export async function reads({ quick, processes, modelUrl, note }: Bench): Promise<Row[]> {
  note(`${READERS} clients at once, one worker that has been read from before. The memory every ${SAMPLE_MS} ms.`);
  await using server = await Evenkeel.start(processes, { workers: 1, agents: 1, modelUrl });
  const threadId = await makeLongThread(server.dataDir);
  await using clients = startReads(processes);
  await using pace = startPace(processes);
  const job = { base: server.url, threadId };
  await clients.run({ ...job, readers: 2 });
  const { latencies: idle } = await pace.run({ ...HEALTH, base: server.url, durationMs: quick ? 500 : 2_000 });
  const pids = await server.pids("worker");
  const before = rssBytes(pids);
  let most = before;
  const timer = setInterval(() => (most = Math.max(most, rssBytes(pids))), SAMPLE_MS);
  const reading = watched(clients.run({ ...job, readers: READERS }));
  const waits: number[] = [];
  do {
    const { latencies } = await pace.run({ ...HEALTH, base: server.url, durationMs: 1_000 });
    waits.push(latencies[0]?.p99 ?? Number.NaN);
  } while (!reading.isOver());
  const read = await reading.result;
  clearInterval(timer);
  const tolerance = quick ? QUICK_TOLERANCE : 1;
  const shown = (figure: string) => ({ question: QUESTION, figure: `${READERS} × ${LONG_THREAD_MB} MB: ${figure}` });
  return [
    row({ ...shown("read"), unit: "MB", measured: read.bytes / 1e6 }),
    row({
      ...shown("added to the worker"),
      unit: "MB",
      measured: (most - before) / 2 ** 20,
      max: MAX_MB * tolerance,
    }),
    row({
      ...shown("/health, worst second's p99 / idle"),
      unit: "ms",
      measured: Math.max(...waits),
      baseline: idle[0]?.p99 ?? Number.NaN,
      max: MAX_HEALTH_MS * tolerance,
    }),
  ];
}

function watched<T>(result: Promise<T>): { readonly result: Promise<T>; readonly isOver: () => boolean } {
  let isOver = false;
  const end = () => {
    isOver = true;
  };
  result.then(end, end);
  return { result, isOver: () => isOver };
}
