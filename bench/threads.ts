/** What does a long thread cost before each model call, what of it does the prompt cache save, and what costs an upload? */
import { startPace, startToModel } from "./lib/helpers.ts";
import { row, type Bench, type Row } from "./lib/row.ts";
import { Evenkeel, postJson } from "./lib/servers.ts";
import { median } from "./lib/stats.ts";
import { rssBytes } from "./lib/usage.ts";
import { sleep } from "./lib/wait.ts";

const QUESTION = "threads";
const MESSAGES = 2_000;
const MODEL_CALLS = 20;
/** Each answer and each tool call is a step. */
const STEPS = 2 * MODEL_CALLS;
const UPLOAD_MB = 20;
const UPLOADS = 3;
const SAMPLE_MS = 5;
/** A quick run happens on a busy machine. */
const QUICK_TOLERANCE = 5;

interface Uploads {
  readonly addedMb: number;
  readonly healthMaxMs: number;
  readonly idleMaxMs: number;
}

export async function threads(bench: Bench): Promise<Row[]> {
  bench.note(
    `toModel: ${MESSAGES} messages of 300 characters. Cache: one run of ${MODEL_CALLS} model calls and as many tool calls with 2 KB each, and a system prompt of 5 KB. ` +
      `Uploads: ${UPLOADS} of ${UPLOAD_MB} MB, one after another, to one worker that has taken one before; its memory every ${SAMPLE_MS} ms, /health 100 times a second.`,
  );
  return [...(await renderRows(bench)), await cacheRow(bench), ...(await uploadRows(bench))];
}

async function renderRows({ quick, processes }: Bench): Promise<Row[]> {
  await using client = startToModel(processes);
  const { wholeMs, stepMs } = await client.run({ messages: MESSAGES, rounds: quick ? 20 : 100 });
  const shown = { question: QUESTION, unit: "ms" } as const;
  const tolerance = quick ? QUICK_TOLERANCE : 1;
  return [
    row({ ...shown, figure: `toModel of ${MESSAGES} messages`, measured: median(wholeMs), max: 20 * tolerance }),
    row({ ...shown, figure: "each further step", measured: median(stepMs), max: 1 * tolerance }),
  ];
}

async function cacheRow({ processes, modelUrl }: Bench): Promise<Row> {
  await using server = await Evenkeel.start(processes, { workers: 1, agents: 1, modelUrl });
  const message = '/sim ttft=0 rate=0 tokens=5 loop tool=blob input={"kb":2}';
  const answer = await postJson(`${server.url}/api/chat`, { agent_id: "stepper", message });
  const { usage, steps } = answer as { usage: Record<string, number>; steps: number };
  if (steps < STEPS) throw new Error(`Expected ${STEPS} steps, got ${steps}.`);
  const {
    input_tokens: fresh = 0,
    cache_read_input_tokens: read = 0,
    cache_creation_input_tokens: written = 0,
  } = usage;
  return row({
    question: QUESTION,
    figure: `input tokens of ${MODEL_CALLS} model calls not read from the cache`,
    unit: "%",
    measured: 100 - (read * 100) / (fresh + read + written),
    max: 10,
  });
}

async function uploadRows({ quick, processes, modelUrl }: Bench): Promise<Row[]> {
  await using server = await Evenkeel.start(processes, { workers: 1, agents: 1, modelUrl });
  await upload(server.url, 0);
  const { addedMb, healthMaxMs, idleMaxMs } = await watchUploads(processes, server);
  const shown = { question: QUESTION };
  const at = `${UPLOAD_MB} MB upload`;
  const tolerance = quick ? QUICK_TOLERANCE : 1;
  return [
    row({ ...shown, figure: `${at}: memory added to the worker`, unit: "MB", measured: addedMb, max: 20 * tolerance }),
    row({ ...shown, figure: `${at}: /health max / idle`, unit: "ms", measured: healthMaxMs, baseline: idleMaxMs }),
    row({
      ...shown,
      figure: `${at}: added to the slowest /health`,
      unit: "ms",
      measured: healthMaxMs - idleMaxMs,
      max: 20 * tolerance,
    }),
  ];
}

async function watchUploads(processes: Bench["processes"], server: Evenkeel): Promise<Uploads> {
  const pids = await server.pids("worker");
  await using pace = startPace(processes);
  const job = { base: server.url, paths: ["/health"], perSecond: 100, graceMs: 2_000, durationMs: 2_000 };
  await pace.run({ ...job, durationMs: 700 });
  const idle = await pace.run(job);
  const before = rssBytes(pids);
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, rssBytes(pids));
  }, SAMPLE_MS);
  const loaded = pace.run(job);
  for (let index = 1; index <= UPLOADS; index += 1) {
    await upload(server.url, index);
    await sleep(100);
  }
  const maxOf = ({ latencies }: Awaited<typeof loaded>) => latencies[0]?.max ?? Number.NaN;
  const healthMaxMs = maxOf(await loaded);
  clearInterval(timer);
  return { addedMb: (most - before) / 2 ** 20, healthMaxMs, idleMaxMs: maxOf(idle) };
}

/** A PDF by its first bytes, other content each time, as content is stored once. */
async function upload(base: string, index: number): Promise<void> {
  const body = Buffer.alloc(UPLOAD_MB * 2 ** 20, `%PDF-1.7\n${index} `);
  const headers = { "content-type": "application/pdf" };
  const response = await fetch(`${base}/api/files`, { method: "POST", headers, body });
  if (!response.ok)
    throw new Error(`Expected the upload to be taken, got ${response.status}: ${await response.text()}`);
  await response.arrayBuffer();
}
