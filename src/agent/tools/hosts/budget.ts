/**
 * How many threads and processes an agent process has for its tools. Each tool may always have one host, so that no
 * tool ever waits for another tool. A tool needs more hosts only while loops are blocked, or with `isolation:
 * "process"`; these come out of EXTRA, which all tools share. A call that finds no host waits (gauge
 * `tool_calls_waiting`).
 */
const EXTRA = 8;
const EXTRA_OF_ONE_TOOL = 3;

export class HostBudget {
  #extra = 0;

  /** @param hosts how many hosts the tool has. @returns whether the tool may have one more, which is then counted */
  take(hosts: number): boolean {
    if (hosts === 0) return true;
    if (hosts > EXTRA_OF_ONE_TOOL || this.#extra === EXTRA) return false;
    this.#extra += 1;
    return true;
  }

  /** @param hosts how many hosts the tool has left */
  giveBack(hosts: number): void {
    if (hosts > 0) this.#extra -= 1;
  }
}
