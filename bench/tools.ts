/** What does the way to a tool cost: a thread over the event loop, a process, and MCP over the bare client? */
import type { ToolCallsResult, Way } from "./clients/tool-calls.ts";
import { startToolCalls } from "./lib/helpers.ts";
import { row, type Bench, type Row } from "./lib/row.ts";
import { median } from "./lib/stats.ts";

const QUESTION = "tools";
const WAYS = ["inline", "thread", "process", "MCP", "bare MCP client"] as const satisfies readonly Way[];
/** A busy test machine starts threads slowly. */
const QUICK_TOLERANCE = 5;

export async function tools({ quick, processes, note }: Bench): Promise<Row[]> {
  note("A tool that answers with its input, one call after another. Cold: the first call, which starts what it needs.");
  const results = new Map<Way, ToolCallsResult[]>();
  for (let round = 0; round < (quick ? 1 : 5); round += 1) {
    for (const way of WAYS) {
      await using client = startToolCalls(processes);
      const result = await client.run({ way, calls: quick ? 100 : 1_000 });
      results.set(way, [...(results.get(way) ?? []), result]);
    }
  }
  const warm = (way: Way) => median((results.get(way) ?? []).map(({ warmMs }) => median(warmMs)));
  const cold = (way: Way) => median((results.get(way) ?? []).map(({ coldMs }) => coldMs));
  const tolerance = quick ? QUICK_TOLERANCE : 1;
  const shown = { question: QUESTION, unit: "ms" } as const;
  return [
    row({ ...shown, figure: "a warm call: inline", measured: warm("inline") }),
    row({ ...shown, figure: "a warm call: thread", measured: warm("thread") }),
    row({ ...shown, figure: "a warm call: process", measured: warm("process") }),
    row({
      ...shown,
      figure: "thread over inline, warm",
      measured: warm("thread") - warm("inline"),
      max: 1 * tolerance,
    }),
    row({ ...shown, figure: "thread, cold", measured: cold("thread"), max: 150 * tolerance }),
    row({ ...shown, figure: "process, cold", measured: cold("process") }),
    row({ ...shown, figure: "MCP call / bare client", measured: warm("MCP"), baseline: warm("bare MCP client") }),
    row({
      ...shown,
      figure: "MCP over the bare client, warm",
      measured: warm("MCP") - warm("bare MCP client"),
      max: 3 * tolerance,
    }),
  ];
}
