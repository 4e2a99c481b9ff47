/**
 * Every process and folder that the bench makes, so that none outlives it: each is stopped by its pid, with
 * all that descends from it, when its owner is done, at the end of the run, and on Ctrl-C.
 */
import { fork, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { setPriority, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { childrenOf, isAlive, treeOf } from "./usage.ts";
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
/** Bound of what servers said; later words are left out. */
const MAX_SAID = 20;

export class Processes implements AsyncDisposable {
  /** The processes that nobody has begun to end. */
  readonly #running = new Set<ChildProcess>();
  readonly #home = mkdtempSync(join(tmpdir(), "evenkeel-bench-"));
  /** What the processes of the bench get, as it was at its start. */
  readonly #inherited = inherited();
  // Bounded by MAX_SAID.
  readonly #said: string[] = [];

  constructor() {
    // Postgres runs as another user when the bench runs as root.
    chmodSync(this.#home, 0o711);
    // For the folders of Postgres and whatever else the bench itself makes.
    process.env["TMPDIR"] = this.#home;
  }

  start({ args, env = {}, nice = 0, ipc = false, output }: Command): Started {
    const [file = "", ...rest] = args;
    const options = { env: { ...this.#inherited, ...env } };
    const child = ipc
      ? fork(file, rest, { ...options, serialization: "advanced" })
      : spawn(process.execPath, args, { ...options, stdio: ["ignore", output ?? "ignore", "inherit"] });
    const { pid } = child;
    if (pid === undefined) throw new Error(`Expected node ${args.join(" ")} to start.`);
    this.#running.add(child);
    child.once("exit", (code, signal) => {
      if (this.#running.delete(child))
        this.keepWords([`${basename(file)} ended by itself: ${signal ?? `code ${code}`}`]);
    });
    // Set the priority before the child starts threads, which inherit it.
    if (nice > 0) setPriority(pid, nice);
    return { child, pid, stop: () => this.#stop(child) };
  }

  folder(): string {
    return mkdtempSync(join(this.#home, "data-"));
  }

  removeFolder(folder: string): void {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }

  /** Keeps what a server logged, or how it ended, for the case that its question fails. */
  keepWords(lines: readonly string[]): void {
    this.#said.push(...lines.slice(0, MAX_SAID - this.#said.length));
  }

  /** @returns what was kept since the last call */
  takeWords(): readonly string[] {
    return this.#said.splice(0);
  }

  /**
   * Kills all processes below this one, Postgres and Redis included, without waiting for their ends, so that a signal
   * handler can call it. Idempotent.
   */
  killAll(): void {
    this.#running.clear();
    for (const pid of childrenOf(process.pid)) killTree({ pid });
  }

  /** The same when this process is about to end: nothing of it is left. */
  endAll(): void {
    this.killAll();
    this.removeFolder(this.#home);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#running].map((child) => this.#stop(child)));
    // A question that failed in the middle of a start may have left a Postgres or Redis.
    this.endAll();
  }

  async #stop(child: ChildProcess): Promise<void> {
    if (!this.#running.delete(child)) return;
    const exited = once(child, "exit");
    const killed = killTree(child);
    await exited;
    // Only now their memory and files are free and the folder can be deleted.
    const allGone = async () => (killed.some(isAlive) ? undefined : true);
    await until(allGone, { what: `the end of processes ${killed.join(", ")}`, timeoutMs: EXIT_TIMEOUT_MS });
  }
}

/** @returns the pids that it killed */
function killTree({ pid }: Pick<ChildProcess, "pid">): readonly number[] {
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
