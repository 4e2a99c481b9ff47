/** All threads and processes of tools in this agent process. Made and stopped by `main.ts`; starts none by itself. */
import { GAUGE } from "../../../core/gauges.ts";
import type { Gauges } from "../../../process/protocol.ts";
import type { Invoke } from "../invoke.ts";
import { HostBudget } from "./budget.ts";
import { ToolHosts, type ToolHostsLog } from "./tool-hosts.ts";
import type { HostedTool } from "./vessel.ts";

export class Hosts {
  readonly #log: ToolHostsLog;
  readonly #budget = new HostBudget();
  readonly #tools: ToolHosts[] = [];

  constructor(log: ToolHostsLog) {
    this.#log = log;
  }

  /** Called once for each tool, at boot. */
  add(tool: HostedTool): Invoke {
    const hosts = new ToolHosts(tool, this.#budget, this.#log);
    this.#tools.push(hosts);
    return hosts.invoke;
  }

  read(): Gauges {
    const sum = (count: (hosts: ToolHosts) => number) => this.#tools.reduce((all, hosts) => all + count(hosts), 0);
    return {
      [GAUGE.toolCalls]: sum(({ calls }) => calls),
      [GAUGE.toolCallsWaiting]: sum(({ waiting }) => waiting),
      [GAUGE.toolCallsGivenUp]: sum(({ givenUp }) => givenUp),
      [GAUGE.toolThreads]: sum(({ hosts }) => hosts.threads),
      [GAUGE.toolProcesses]: sum(({ hosts }) => hosts.processes),
    };
  }

  /** Ends all hosts, and waits until they are gone. */
  async stop(): Promise<void> {
    await Promise.all(this.#tools.map((hosts) => hosts.stop()));
  }
}
