/**
 * Finds and kills the processes that a tool or an MCP server left behind, detached ones too. Every process that we
 * start for them has MARKER_VARIABLE in its environment, and its child processes inherit the variable. On Linux,
 * `/proc` shows it; elsewhere only process groups are killed. A process that cleared its environment *and* lost its
 * parent is not found.
 */
import { readdirSync, readlinkSync } from "node:fs";
import { readFile } from "node:fs/promises";

export const MARKER_VARIABLE = "EVENKEEL_STARTED_BY";

// A process may fork between our look and our kill. A process that needs more looks than this does nothing but fork.
const MAX_LOOKS = 10;

/** A pid counts in its namespace alone: a host sees the processes of its containers, whose agents have pids of their own. */
const PID_NAMESPACE = pidNamespace();
// Versions that marked with the bare pid take this for no number, and leave our processes alone.
const AGENT = `${process.pid}@${PID_NAMESPACE}`;

let lastNumber = 0;

/** A value of MARKER_VARIABLE for one host, thread or server. No other owner of any agent process has the same. */
export function newMarker(): string {
  lastNumber += 1;
  return `${AGENT}.${lastNumber}`;
}

/** Its number; 0 where there is no `/proc`. */
function pidNamespace(): number {
  try {
    return Number(/\d+/.exec(readlinkSync("/proc/self/ns/pid"))?.[0] ?? 0);
  } catch {
    return 0;
  }
}

/**
 * Kills the processes whose marker begins with `marker`, and the child processes of the thread `threadId`, which may
 * have been started without one. Never rejects.
 */
export async function killLeftovers(marker: string, threadId: number | null = null): Promise<void> {
  const children = threadId === null ? [] : await childrenOfThread(threadId);
  for (const pid of children) kill(pid);
  await killWhere((value) => value === marker || value.startsWith(`${marker}:`));
}

/**
 * Kills what dead agent processes of this pid namespace had started. Called by each agent process at its start. Whether
 * an agent of another namespace lives cannot be seen from here.
 */
export async function killLeftoversOfTheDead(): Promise<void> {
  await killWhere((value) => {
    const [agent = ""] = value.split(".");
    const [pid = 0, namespace] = agent.split("@").map(Number);
    return namespace === PID_NAMESPACE && Number.isInteger(pid) && pid > 0 && !isAlive(pid);
  });
}

async function killWhere(matches: (marker: string) => boolean): Promise<void> {
  for (let look = 0; look < MAX_LOOKS; look += 1) {
    const found = await Promise.all(processIds().map(async (pid) => ((await isMarked(pid, matches)) ? pid : 0)));
    const pids = found.filter((pid) => pid > 0);
    if (pids.length === 0) return;
    for (const pid of pids) kill(pid);
  }
}

async function isMarked(pid: number, matches: (marker: string) => boolean): Promise<boolean> {
  // The environment of another user's process cannot be read, and a dead process has none.
  const environment = await readFile(`/proc/${pid}/environ`, "latin1").catch(() => "");
  const start = `\0${environment}`.indexOf(`\0${MARKER_VARIABLE}=`);
  if (start < 0) return false;
  const [value = ""] = environment.slice(start + MARKER_VARIABLE.length + 1).split("\0");
  return matches(value);
}

async function childrenOfThread(threadId: number): Promise<number[]> {
  const list = await readFile(`/proc/self/task/${threadId}/children`, "latin1").catch(() => "");
  return list
    .split(" ")
    .map(Number)
    .filter((pid) => pid > 0);
}

function processIds(): number[] {
  try {
    return readdirSync("/proc")
      .map(Number)
      .filter((pid) => pid > 0 && pid !== process.pid);
  } catch {
    return [];
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: the process lives, and belongs to another user.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // The process has ended meanwhile.
  }
}
