/** What does doing nothing cost? The whole tree with one viewer whose run says nothing. */
import { Streams } from "./lib/helpers.ts";
import { row, type Bench, type Row } from "./lib/row.ts";
import { Evenkeel } from "./lib/servers.ts";
import { cpuMs, pssBytes } from "./lib/usage.ts";
import { sleep } from "./lib/wait.ts";

const QUESTION = "idle";

export async function idle({ quick, processes, modelUrl, note }: Bench): Promise<Row[]> {
  note("4 workers, 2 agents; one SSE viewer of a run whose model is silent.");
  await using server = await Evenkeel.start(processes, { workers: 4, agents: 2, modelUrl });
  await using viewer = new Streams(processes);
  const body = { agent_id: "bench", message: "/sim ttft=0 tokens=5 stall", on_disconnect: "cancel" };
  await viewer.open({ base: server.url, path: "/api/chat/stream", streams: 1, body });
  // Boot leaves work behind: garbage, JIT, the first heartbeats.
  await sleep(quick ? 1_200 : 5_000);
  const tree = server.tree();
  const before = { cpu: cpuMs(tree), at: performance.now() };
  await sleep(quick ? 3_000 : 20_000);
  const percent = ((cpuMs(tree) - before.cpu) * 100) / (performance.now() - before.at);
  const shown = { question: QUESTION };
  return [
    row({ ...shown, figure: "CPU of the tree, of one core", unit: "%", measured: percent, max: quick ? 9 : 3 }),
    row({ ...shown, figure: "memory of the tree (PSS)", unit: "MB", measured: pssBytes(tree) / 2 ** 20 }),
  ];
}
