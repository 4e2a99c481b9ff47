/**
 * Every process and folder that the bench makes, so that none outlives it: each is stopped by its pid, with
 * all that descends from it, when its owner is done, at the end of the run, and on Ctrl-C.
 */
import { fork, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { setPriority, tmpdir } from "node:os";
import { join } from "node:path";
import { isAlive, treeOf } from "./usage.ts";
import { until } from "./wait.ts";

export interface Started {
  readonly child: ChildProcess;
  readonly pid: number;
  stop(): Promise<void>;
}

export interface Command {
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Nice value: 0 is normal; 15 is below the measured processes. */
  readonly nice?: number;
  /** Gives the process a channel for messages. */
  readonly ipc?: boolean;
  /** A file descriptor that takes what the process prints; by default nothing does. */
  readonly output?: number;
}

const EXIT_TIMEOUT_MS = 10_000;
/** Settings of the caller's environment are removed, so that the bench decides all settings of its servers. */
const INHERITED = ["PATH", "HOME", "LANG", "TMPDIR"];

export class Processes implements AsyncDisposable {
  readonly #running = new Set<ChildProcess>();
  readonly #folders = new Set<string>();

  start({ args, env = {}, nice = 0, ipc = false, output }: Command): Started {
    const [file = "", ...rest] = args;
    const options = { env: { ...inherited(), ...env } };
    const child = ipc
      ? fork(file, rest, { ...options, serialization: "advanced" })
      : spawn(process.execPath, args, { ...options, stdio: ["ignore", output ?? "ignore", "inherit"] });
    const { pid } = child;
    if (pid === undefined) throw new Error(`Expected node ${args.join(" ")} to start.`);
    this.#running.add(child);
    child.once("exit", () => this.#running.delete(child));
    // Set the priority before the child starts threads, which inherit it.
    if (nice > 0) setPriority(pid, nice);
    return { child, pid, stop: () => this.#stop(child) };
  }

  folder(): string {
    const folder = mkdtempSync(join(tmpdir(), "evenkeel-bench-"));
    this.#folders.add(folder);
    return folder;
  }

  removeFolder(folder: string): void {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
    this.#folders.delete(folder);
  }

  /** Kills all processes without waiting for their ends, so that a signal handler can call it. Idempotent. */
  killAll(): void {
    for (const child of this.#running) killTree(child);
    for (const folder of this.#folders) this.removeFolder(folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#running].map((child) => this.#stop(child)));
    for (const folder of this.#folders) this.removeFolder(folder);
  }

  async #stop(child: ChildProcess): Promise<void> {
    if (!this.#running.has(child)) return;
    const exited = once(child, "exit");
    const killed = killTree(child);
    await exited;
    // Only now their memory and files are free and the folder can be deleted.
    const allGone = async () => (killed.some(isAlive) ? undefined : true);
    await until(allGone, { what: `the end of processes ${killed.join(", ")}`, timeoutMs: EXIT_TIMEOUT_MS });
  }
}

/** @returns the pids that it killed */
function killTree({ pid }: ChildProcess): readonly number[] {
  if (pid === undefined) return [];
  // Stop the process first (SIGSTOP), so that a supervisor cannot fork between the listing and its end.
  send(pid, "SIGSTOP");
  const tree = treeOf(pid);
  for (const member of tree) send(member, "SIGKILL");
  return tree;
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // The process has ended since the listing.
  }
}

function inherited(): Record<string, string> {
  return Object.fromEntries(INHERITED.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}
