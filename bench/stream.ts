/**
 * What does a streamed token cost, and how much later does the first one come, over the SDK's stream piped
 * straight into a response? Both get the same upstream load; evenkeel's cost is that of its workers and agents.
 */
import { frameCost, type FrameCost, type FrameTarget } from "./lib/frame-cost.ts";
import { startPosts, sdkPipe } from "./lib/helpers.ts";
import type { Processes } from "./lib/processes.ts";
import { row, type Bench, type Row } from "./lib/row.ts";
import { Evenkeel } from "./lib/servers.ts";
import { median, percentile } from "./lib/stats.ts";

const QUESTION = "stream";
const STREAMS = 40;
const TOKENS_PER_SECOND = 50;
const PATH = "/api/chat/stream";
// At a model's pace, because an answer that ends at once is flushed by its end, which hides the wait of a first frame.
const FIRST = { agent_id: "bench", message: `/sim ttft=0 tokens=3 rate=${TOKENS_PER_SECOND}` };
const LONG = {
  agent_id: "bench",
  message: `/sim ttft=0 tokens=100000 rate=${TOKENS_PER_SECOND}`,
  on_disconnect: "cancel",
};

export async function stream({ quick, processes, modelUrl, note }: Bench): Promise<Row[]> {
  await using server = await Evenkeel.start(processes, { workers: 1, agents: 1, modelUrl });
  await using pipe = sdkPipe(processes);
  const serving = [...(await server.pids("worker")), ...(await server.pids("agent"))];
  const request = { path: PATH, body: LONG };
  const ours: FrameTarget = { base: server.url, pids: serving, ...request };
  const theirs: FrameTarget = { base: await pipe.listen({ modelUrl }), pids: [pipe.pid], ...request };
  note(
    `1 worker, 1 agent; ${STREAMS} streams at ${TOKENS_PER_SECOND} tokens/s each, both in turns. ` +
      "A frame is a text delta of the model, however many of them one SSE message carries.",
  );
  const first = await firstTokens(processes, { ours, theirs, quick });
  const costs: { ours: FrameCost; theirs: FrameCost }[] = [];
  for (let round = 0; round < (quick ? 2 : 5); round += 1) {
    const load = { streams: STREAMS, windowMs: quick ? 1_500 : 6_000 };
    costs.push({ ours: await frameCost(processes, ours, load), theirs: await frameCost(processes, theirs, load) });
  }
  return [...costRows(costs, quick), ...firstTokenRows(first, quick)];
}

function costRows(costs: readonly { ours: FrameCost; theirs: FrameCost }[], quick: boolean): Row[] {
  const of = (who: "ours" | "theirs", figure: keyof FrameCost) => median(costs.map((cost) => cost[who][figure]));
  return [
    row({
      question: QUESTION,
      figure: "CPU a frame / SDK piped",
      unit: "µs",
      measured: of("ours", "cpuMicros"),
      baseline: of("theirs", "cpuMicros"),
      maxRatio: quick ? 2.5 : 1.3,
    }),
    row({
      question: QUESTION,
      figure: "frames delivered / SDK piped",
      unit: "/s",
      measured: of("ours", "tokensPerSecond"),
      baseline: of("theirs", "tokensPerSecond"),
    }),
  ];
}

interface FirstTokens {
  readonly ours: readonly number[];
  readonly theirs: readonly number[];
}

/** One after another, a few of one side and a few of the other in turns. */
async function firstTokens(
  processes: Processes,
  { ours, theirs, quick }: { ours: FrameTarget; theirs: FrameTarget; quick: boolean },
): Promise<FirstTokens> {
  await using posts = startPosts(processes, "measure");
  const ask = async ({ base }: FrameTarget, requests: number) => {
    const job = { base, path: PATH, body: FIRST, concurrency: 1, durationMs: 10_000, requests, until: "tok1" };
    return (await posts.run(job)).latenciesMs;
  };
  for (const target of [ours, theirs]) await ask(target, 10);
  const taken: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] };
  for (let round = 0; round < (quick ? 5 : 30); round += 1) {
    taken.ours.push(...(await ask(ours, 6)));
    taken.theirs.push(...(await ask(theirs, 6)));
  }
  return taken;
}

function firstTokenRows({ ours, theirs }: FirstTokens, quick: boolean): Row[] {
  const added = (percent: number) => percentile(ours, percent) - percentile(theirs, percent);
  const shown = { question: QUESTION, unit: "ms" } as const;
  const compared = (percent: number) => ({
    measured: percentile(ours, percent),
    baseline: percentile(theirs, percent),
  });
  return [
    row({ ...shown, figure: "first token, p50 / SDK piped", ...compared(50) }),
    row({ ...shown, figure: "first token, p99 / SDK piped", ...compared(99) }),
    row({ ...shown, figure: "added to the first token: p50", measured: added(50), max: quick ? 50 : 10 }),
    row({ ...shown, figure: "added to the first token: p99", measured: added(99), max: quick ? 90 : 30 }),
  ];
}
