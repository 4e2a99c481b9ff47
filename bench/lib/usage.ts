/** What processes cost, read from /proc (proc_pid_stat(5)): CPU time, memory, and who descends from whom. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { sum } from "./stats.ts";

/** USER_HZ, which is 100 on every architecture that Node runs on. */
const TICK_MS = 10;

/** CPU time so far of all threads of these processes, living threads and ended ones. A dead process counts 0. */
export function cpuMs(pids: readonly number[]): number {
  return sum(pids.map((pid) => (statOf(pid)?.cpuTicks ?? 0) * TICK_MS));
}

export function rssBytes(pids: readonly number[]): number {
  return sum(pids.map((pid) => kilobytesOf(`/proc/${pid}/status`, "VmRSS") * 1024));
}

/** Memory in which shared pages are divided among the processes (PSS), so that the sum is right. */
export function pssBytes(pids: readonly number[]): number {
  return sum(pids.map((pid) => kilobytesOf(`/proc/${pid}/smaps_rollup`, "Pss") * 1024));
}

/** The process and all that descend from it. */
export function treeOf(root: number): number[] {
  const children = allChildren();
  const tree = [root];
  for (const pid of tree) tree.push(...(children.get(pid) ?? []));
  return tree;
}

export function childrenOf(pid: number): readonly number[] {
  return allChildren().get(pid) ?? [];
}

/** By the pid of their parent. */
function allChildren(): Map<number, number[]> {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const parent = statOf(Number(name))?.parent;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  return children;
}

/** Also false for a zombie: a dead process that its parent has not yet reaped. */
export function isAlive(pid: number): boolean {
  const state = statOf(pid)?.state;
  return state !== undefined && state !== "Z" && state !== "X";
}

/** @returns which of the processes hold the listening socket of a TCP port (proc_net_tcp(5)) */
export function listenersAt(port: number, pids: readonly number[]): number[] {
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const listening = "0A";
  const rows = (readText("/proc/net/tcp") ?? "").split("\n").map((line) => line.trim().split(/\s+/));
  const row = rows.find(([, address, , state]) => address?.endsWith(local) && state === listening);
  const inode = row?.[9];
  return inode === undefined ? [] : pids.filter((pid) => filesOf(pid).includes(`socket:[${inode}]`));
}

/** Open files that one process may have. Node raises its soft limit to the hard one at boot. */
export function openFilesLimit(): number {
  const limits = readText("/proc/self/limits") ?? "";
  return Number(/^Max open files\s+\S+\s+(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
}

interface Stat {
  readonly state: string;
  readonly parent: number;
  readonly cpuTicks: number;
}

function statOf(pid: number): Stat | undefined {
  const text = readText(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The second field is the name in brackets, and a name may hold blanks and brackets.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0] ?? "", parent: Number(fields[1]), cpuTicks: Number(fields[11]) + Number(fields[12]) };
}

function kilobytesOf(file: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(readText(file) ?? "")?.[1] ?? 0);
}

function filesOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  } catch {
    // The process, or one of its files, is gone.
    return [];
  }
}

/** Undefined when the process ended between the listing and now. */
function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
