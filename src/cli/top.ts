/** `evenkeel top`: the processes of a server each second, with what the server advises. */
import { setTimeout as sleep } from "node:timers/promises";
import { GAUGE } from "../core/gauges.ts";
import { connect, type ServerOptions } from "./connection.ts";
import { table } from "./table.ts";

const EACH_MS = 1_000;
const CLEAR = "\x1b[H\x1b[J";

export async function top({ once, ...server }: ServerOptions & { readonly once?: boolean }): Promise<void> {
  const evenkeel = connect(server);
  // Runs until Ctrl-C ends the process.
  for (;;) {
    const { machines, processes, advice } = await evenkeel.processes();
    // The first one is the primary of the machine that answers. It counts the runs of all machines.
    const { [GAUGE.runsRunning]: runs = 0, [GAUGE.runsQueued]: waiting = 0 } = processes[0]?.gauges ?? {};
    const parked = processes.reduce((sum, { gauges }) => sum + (gauges[GAUGE.runsParked] ?? 0), 0);
    const isOne = machines.length <= 1;
    const ofMachine = (machine: string) => (isOne ? [] : [machine]);
    const rows = processes.map((process) => [
      ...ofMachine(process.machine),
      `${process.kind} ${process.id}`,
      process.state,
      String(process.pid ?? "-"),
      `${process.cpu_percent.toFixed(0)} %`,
      `${(process.rss_bytes / 1e6).toFixed(0)} MB`,
      `${process.lag_ms.p99.toFixed(1)} ms`,
      String(process.in_flight),
      String(process.restarts),
    ]);
    const head = [
      ...ofMachine("MACHINE"),
      "PROCESS",
      "STATE",
      "PID",
      "CPU",
      "MEMORY",
      "LAG P99",
      "IN FLIGHT",
      "RESTARTS",
    ];
    const lines = [
      `${runs} runs under way (${parked} parked), ${waiting} wait`,
      "",
      table([head, ...rows]),
      ...machines
        .filter(({ state }) => state === "silent")
        .map(({ machine, age_ms: ageMs }) => `${machine} has been silent for ${Math.round(ageMs / 1_000)} s`),
      ...advice.map(({ machine, text }) => [...ofMachine(`${machine}:`), text].join(" ")),
    ];
    process.stdout.write(`${once ? "" : CLEAR}${lines.join("\n")}\n`);
    if (once) return;
    await sleep(EACH_MS);
  }
}
