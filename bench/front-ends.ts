/**
 * Do the streams for the AI SDK and the OpenAI clients cost more than our own, are a thousand `useChat` streams whole,
 * and how does all that compare with the AI SDK under node:cluster, which is what most people would write?
 */
import { frameCost, frameCostOf, type FrameCost, type FrameTarget } from "./lib/frame-cost.ts";
import { clusterAiSdk, startPace, Streams, startUseChats } from "./lib/helpers.ts";
import { row, type Bench, type Row } from "./lib/row.ts";
import { Evenkeel } from "./lib/servers.ts";
import { median } from "./lib/stats.ts";
import { treeOf } from "./lib/usage.ts";
import { sleep } from "./lib/wait.ts";

const QUESTION = "front ends";
const LONG = "/sim ttft=0 tokens=100000 rate=20";
const COMPUTING_CHATS = 8;
const COMPUTING_MS = 3_000;

/** What each protocol's client sends for one long answer. */
const PROTOCOLS = {
  native: {
    path: "/api/chat/stream",
    body: { agent_id: "bench", message: LONG, on_disconnect: "cancel" },
  },
  "AI SDK": { path: "/api/chat", body: uiChat(LONG) },
  OpenAI: {
    path: "/v1/chat/completions",
    body: { model: "bench", stream: true, messages: [{ role: "user", content: LONG }] },
  },
} as const;
type Protocol = keyof typeof PROTOCOLS;

export async function frontEnds(bench: Bench): Promise<Row[]> {
  bench.note(
    `Protocols: 1 worker, 1 agent, in turns; CPU of workers and agents over tokens that arrived. node:cluster: 4 processes with streamText and pipeUIMessageStreamToResponse, against 4 workers and 2 agents; the tools compute for ${COMPUTING_MS} ms over and over.`,
  );
  return [...(await protocolRows(bench)), ...(await chatRows(bench)), ...(await clusterRows(bench))];
}

async function protocolRows({ quick, processes, modelUrl }: Bench): Promise<Row[]> {
  await using server = await Evenkeel.start(processes, { workers: 1, agents: 1, modelUrl });
  const pids = [...(await server.pids("worker")), ...(await server.pids("agent"))];
  const costs = new Map<Protocol, number[]>();
  const load = { streams: 100, windowMs: quick ? 1_500 : 5_000 };
  for (let round = 0; round < (quick ? 2 : 7); round += 1) {
    for (const [name, request] of Object.entries(PROTOCOLS)) {
      const { cpuMicros } = await frameCost(processes, { base: server.url, pids, ...request }, load);
      costs.set(name as Protocol, [...(costs.get(name as Protocol) ?? []), cpuMicros]);
    }
  }
  const of = (protocol: Protocol) => median(costs.get(protocol) ?? []);
  return (["AI SDK", "OpenAI"] as const).map((protocol) =>
    row({
      question: QUESTION,
      figure: `CPU a frame: ${protocol} stream / native stream`,
      unit: "µs",
      measured: of(protocol),
      baseline: of("native"),
      maxRatio: quick ? 1.6 : 1.15,
    }),
  );
}

async function chatRows({ quick, processes, modelUrl, note }: Bench): Promise<Row[]> {
  const chats = quick ? 100 : 1_000;
  await using server = await Evenkeel.start(processes, { workers: 4, agents: 2, modelUrl });
  await using clients = startUseChats(processes);
  // The first chat is still going when the last one begins.
  const [tokens, rate] = quick ? [30, 10] : [60, 3];
  const words = `/sim ttft=0 tokens=${tokens} rate=${rate}`;
  const { whole, failures, atOnce } = await clients.run({ base: server.url, chats, words, tokens, perSecond: 60 });
  for (const [reason, count] of Object.entries(failures)) note(`${count} useChat streams: ${reason}`);
  const shown = { question: QUESTION, unit: "streams" } as const;
  return [
    row({ ...shown, figure: `${chats} useChat streams: open at one time`, measured: atOnce }),
    row({ ...shown, figure: `${chats} useChat streams: lost or not whole`, measured: chats - whole, max: 0 }),
  ];
}

interface Beside {
  readonly cost: FrameCost;
  readonly p99: number;
  readonly p99Computing: number;
}

async function clusterRows({ quick, processes, modelUrl }: Bench): Promise<Row[]> {
  const streams = quick ? 50 : 200;
  const measured: { ours: Beside; theirs: Beside }[] = [];
  for (let round = 0; round < (quick ? 1 : 3); round += 1) {
    await using server = await Evenkeel.start(processes, { workers: 4, agents: 2, modelUrl });
    await using cluster = clusterAiSdk(processes);
    const theirBase = await cluster.listen({ modelUrl });
    const ours = { base: server.url, pids: [...(await server.pids("worker")), ...(await server.pids("agent"))] };
    const theirs = { base: theirBase, pids: treeOf(cluster.pid) };
    const plan = { streams, windowMs: quick ? 1_500 : 8_000 };
    measured.push({
      ours: await beside({ quick, processes }, ours, plan),
      theirs: await beside({ quick, processes }, theirs, plan),
    });
  }
  const compared = (figure: (beside: Beside) => number) => ({
    measured: median(measured.map(({ ours }) => figure(ours))),
    baseline: median(measured.map(({ theirs }) => figure(theirs))),
  });
  const name = "node:cluster with the AI SDK";
  const at = `${streams} chats`;
  return [
    row({
      question: QUESTION,
      figure: `${at}: CPU a token / ${name}`,
      unit: "µs",
      ...compared((one) => one.cost.cpuMicros),
      maxRatio: quick ? 1.5 : 1,
    }),
    row({
      question: QUESTION,
      figure: `${at}: tokens delivered / ${name}`,
      unit: "/s",
      ...compared((one) => one.cost.tokensPerSecond),
    }),
    row({ question: QUESTION, figure: `${at}: /health p99 / ${name}`, unit: "ms", ...compared((one) => one.p99) }),
    row({
      question: QUESTION,
      figure: `${at} and ${COMPUTING_CHATS} that compute: /health p99 / ${name}`,
      unit: "ms",
      ...compared((one) => one.p99Computing),
      max: quick ? 100 : 50,
    }),
  ];
}

/** Both servers speak the AI SDK's protocol, so both get the same requests. */
async function beside(
  { processes }: Pick<Bench, "quick" | "processes">,
  server: Pick<FrameTarget, "base" | "pids">,
  { streams, windowMs }: { readonly streams: number; readonly windowMs: number },
): Promise<Beside> {
  const request = { base: server.base, path: "/api/chat", body: uiChat(LONG) };
  await using load = new Streams(processes);
  await load.open({ ...request, streams });
  await sleep(windowMs / 2);
  const cost = await frameCostOf(load, server.pids, windowMs);
  const p99 = await healthP99(processes, server.base, windowMs);
  const computing = uiChat(`/sim ttft=0 rate=0 tokens=1 loop tool=spin input={"ms":${COMPUTING_MS}}`);
  // These clients wait for no answer, because a process that computes answers none.
  await load.open({ ...request, body: computing, streams: COMPUTING_CHATS, mute: true });
  await sleep(1_000);
  const p99Computing = await healthP99(processes, server.base, windowMs);
  await load.close();
  return { cost, p99, p99Computing };
}

async function healthP99(processes: Bench["processes"], base: string, durationMs: number): Promise<number> {
  await using client = startPace(processes);
  const job = { base, paths: ["/health"], perSecond: 100, graceMs: 5_000 };
  // The client's own first requests are slow.
  await client.run({ ...job, durationMs: 700 });
  const { latencies } = await client.run({ ...job, durationMs });
  return latencies[0]?.p99 ?? Number.NaN;
}

function uiChat(text: string): object {
  return {
    id: "bench-STREAM_ID",
    trigger: "submit-message",
    agent_id: "bench",
    on_disconnect: "cancel",
    messages: [{ id: "m1", role: "user", parts: [{ type: "text", text }] }],
  };
}
