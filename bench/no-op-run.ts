/** What does evenkeel add to a run? A model that says one token at once: POST /api/chat to the reply. */
import { startPosts } from "./lib/helpers.ts";
import { row, type Bench, type Row } from "./lib/row.ts";
import { Evenkeel } from "./lib/servers.ts";
import { percentile } from "./lib/stats.ts";

const QUESTION = "run";
const BODY = { agent_id: "bench", message: "/sim tokens=1 ttft=0 rate=0" };
const CONCURRENCY = 32;

export async function noOpRun({ quick, processes, modelUrl, note }: Bench): Promise<Row[]> {
  await using server = await Evenkeel.start(processes, { workers: 2, agents: 2, modelUrl });
  await using posts = startPosts(processes, "measure");
  const job = { base: server.url, path: "/api/chat", body: BODY };
  await posts.run({ ...job, concurrency: 4, requests: 60, durationMs: 5_000 });
  const alone = await posts.run({
    ...job,
    concurrency: 1,
    requests: quick ? 100 : 1_000,
    durationMs: quick ? 4_000 : 30_000,
  });
  const flood = await posts.run({
    ...job,
    concurrency: CONCURRENCY,
    requests: Number.POSITIVE_INFINITY,
    durationMs: quick ? 2_000 : 10_000,
  });
  note(`2 workers, 2 agents. One after another: ${alone.latenciesMs.length} runs.`);
  const p50 = percentile(alone.latenciesMs, 50);
  const rate = (flood.latenciesMs.length * 1_000) / flood.elapsedMs;
  return [
    row({ question: QUESTION, figure: "POST to reply: p50", unit: "ms", measured: p50, max: quick ? 60 : 25 }),
    row({ question: QUESTION, figure: "POST to reply: p99", unit: "ms", measured: percentile(alone.latenciesMs, 99) }),
    row({ question: QUESTION, figure: `runs a second, ${CONCURRENCY} at once`, unit: "/s", measured: rate }),
    row({
      question: QUESTION,
      figure: `POST to reply, ${CONCURRENCY} at once: p99`,
      unit: "ms",
      measured: percentile(flood.latenciesMs, 99),
    }),
  ];
}
