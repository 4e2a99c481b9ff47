/** How long from the start of the command to the first 200 of GET /ready? As shipped: 4 workers, 2 agents. */
import { row, type Bench, type Row } from "./lib/row.ts";
import { Evenkeel } from "./lib/servers.ts";
import { median } from "./lib/stats.ts";

const QUESTION = "startup";

export async function startup({ quick, processes, modelUrl }: Bench): Promise<Row[]> {
  const times: number[] = [];
  for (let round = 0; round < (quick ? 2 : 7); round += 1) {
    await using server = await Evenkeel.start(processes, { workers: 4, agents: 2, modelUrl });
    times.push(server.readyMs);
  }
  return [
    row({
      question: QUESTION,
      figure: "spawn to ready, median",
      unit: "ms",
      measured: median(times),
      max: quick ? 6_000 : 2_000,
    }),
  ];
}
