/** Looks at real processes from outside, as an operator with `ps` would. Called by tests that start them. */
import { execFileSync } from "node:child_process";

interface Row {
  readonly pid: number;
  readonly parent: number;
  /** Ended, and waiting for its parent to notice. */
  readonly zombie: boolean;
}

/** The living children of `pid`, their children, and so on. */
export function descendantsOf(pid: number): number[] {
  const rows = listProcesses();
  const below = (parent: number): number[] =>
    rows.filter((row) => row.parent === parent && !row.zombie).flatMap((row) => [row.pid, ...below(row.pid)]);
  return below(pid);
}

/** The pids of `pids` that live. */
export function aliveOf(pids: readonly number[]): number[] {
  return listProcesses()
    .filter(({ pid, zombie }) => !zombie && pids.includes(pid))
    .map(({ pid }) => pid);
}

function listProcesses(): Row[] {
  const lines = execFileSync("ps", ["-A", "-o", "pid=,ppid=,stat="], { encoding: "utf8" }).trim().split("\n");
  return lines.map((line) => {
    const [pid, parent, state = ""] = line.trim().split(/\s+/);
    return { pid: Number(pid), parent: Number(parent), zombie: state.startsWith("Z") };
  });
}
