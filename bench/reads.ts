/**
 * What do 20 clients cost that read a thread of 28 MB, page by page, from one worker? Its memory, and what /health waits
 * meanwhile.
 */
import { newId } from "../src/core/id.ts";
import type { Message } from "../src/core/message.ts";
import { openEngine } from "../src/engine/open.ts";
import { startPace, startReads } from "./lib/helpers.ts";
import { row, type Bench, type Row } from "./lib/row.ts";
import { Evenkeel } from "./lib/servers.ts";
import { rssBytes } from "./lib/usage.ts";

const QUESTION = "reads";
const READERS = 20;
const MESSAGES = 1_400;
const MESSAGE_CHARACTERS = 20_000;
const SAMPLE_MS = 5;
const HEALTH = { paths: ["/health"], perSecond: 100, graceMs: 2_000 };
const MAX_MB = 50;
const MAX_HEALTH_MS = 50;
/** A quick run happens on a busy machine. */
const QUICK_TOLERANCE = 5;

export async function reads({ quick, processes, modelUrl, note }: Bench): Promise<Row[]> {
  const megabytes = (MESSAGES * MESSAGE_CHARACTERS) / 1e6;
  note(`${READERS} clients at once, one worker that has been read from before. The memory every ${SAMPLE_MS} ms.`);
  await using server = await Evenkeel.start(processes, { workers: 1, agents: 1, modelUrl });
  const threadId = await makeThread(server.dataDir);
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
  const shown = (figure: string) => ({ question: QUESTION, figure: `${READERS} × ${megabytes} MB: ${figure}` });
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

/** Stores it beside the server, as a body of this size would be refused. @returns its id */
async function makeThread(dataDir: string): Promise<string> {
  const engine = await openEngine({ dataDir, durability: "normal", limits: { queued: 10 } });
  const [runId, threadId] = [newId("run"), newId("thread")];
  await engine.enqueue({
    runId,
    threadId,
    agentId: "bench",
    parentRunId: null,
    message: "hello",
    before: Array.from({ length: MESSAGES }, (_, at) => messageAt(at)),
    strategy: "enqueue",
    timeoutMs: null,
    metadata: {},
    principal: "local",
    idempotencyKey: null,
    runIdChosen: false,
    fingerprint: "",
  });
  await engine.cancel(runId);
  await engine.close();
  return threadId;
}

function messageAt(at: number): Message {
  return { role: at % 2 === 0 ? "user" : "assistant", content: "word ".repeat(MESSAGE_CHARACTERS / 5) };
}
