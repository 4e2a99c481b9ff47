/** `evenkeel top`: the processes of a server each second, with what the server advises. */
import { setTimeout as sleep } from "node:timers/promises";
import { connect, type ServerOptions } from "./connection.ts";
import { table } from "./table.ts";

const EACH_MS = 1_000;
const CLEAR = "\x1b[H\x1b[J";

export async function top({ once, ...server }: ServerOptions & { readonly once?: boolean }): Promise<void> {
  const evenkeel = connect(server);
  // Runs until Ctrl-C ends the process.
  for (;;) {
    const { processes, advice } = await evenkeel.processes();
    const [runs, waiting] = ["running", "queued"].map((name) => processes[0]?.gauges[`runs_${name}`] ?? 0);
    const rows = processes.map((process) => [
      `${process.kind} ${process.id}`,
      process.state,
      String(process.pid ?? "-"),
      `${process.cpu_percent.toFixed(0)} %`,
      `${(process.rss_bytes / 1e6).toFixed(0)} MB`,
      `${process.lag_ms.p99.toFixed(1)} ms`,
      String(process.in_flight),
      String(process.restarts),
    ]);
    const head = ["PROCESS", "STATE", "PID", "CPU", "MEMORY", "LAG P99", "IN FLIGHT", "RESTARTS"];
    const lines = [
      `${runs} runs under way, ${waiting} wait`,
      "",
      table([head, ...rows]),
      ...advice.map(({ text }) => text),
    ];
    process.stdout.write(`${once ? "" : CLEAR}${lines.join("\n")}\n`);
    if (once) return;
    await sleep(EACH_MS);
  }
}
