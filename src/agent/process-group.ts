/**
 * A foreign program as a process group that cannot outlive this process. `/bin/sh` forks a watcher into the group and
 * then becomes the program. The watcher reads a pipe that only this process holds open. When the pipe closes, because
 * `kill()` closed it or because this process died (by `kill -9` too), the watcher kills the group, and every process
 * that left the group but still carries its mark in the environment (Linux only). [The watcher needs 1 MB and 2 ms; a
 * Node process in its place would need 40 MB and 40 ms.]
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Duplex, Readable, Writable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { newId } from "../core/id.ts";

/** In the environment of every process that the program starts, so that a process that left the group is found. */
const MARK = "EVENKEEL_GROUP";

// $1 is the mark's value, the rest is the program. The watcher forks before the mark is exported, so that it does not
// find itself. `$$` is the pid of the first shell, also in the watcher, and so the group's id.
const SCRIPT = `
mark=$1; shift
(
  trap '' HUP INT QUIT TERM
  read -r _ <&3
  for round in 1 2; do
    for file in $(grep -lsF "${MARK}=$mark" /proc/[0-9]*/environ); do
      pid=\${file#/proc/}; kill -KILL "\${pid%/environ}"
    done
  done
  kill -KILL -- -$$
) </dev/null >/dev/null 2>&1 &
${MARK}=$mark; export ${MARK}
exec 3<&-
exec "$@"
`;

const SHELL = "/bin/sh";
/** When the watcher takes longer than this, the group is killed directly. */
const WATCHER_MS = 2_000;

export interface ProgramOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment that the program sees. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string | undefined;
}

export interface ProgramExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class ProcessGroup {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves when the program itself has exited; others of its group may still run until `kill()`. */
  readonly exited: Promise<ProgramExit>;
  readonly #process: ChildProcess;
  readonly #lifeline: Duplex;
  readonly #watcherGone: Promise<void>;
  #killing: Promise<void> | undefined;

  /**
   * A command that does not exist ends with exit code 127, and one that may not be run with 126: these are the shell's
   * codes. @throws Error when this process has no file descriptors left for the pipes
   */
  constructor({ command, args, env, cwd }: ProgramOptions) {
    const child = spawn(SHELL, ["-c", SCRIPT, SHELL, newId("group"), command, ...args], {
      env,
      cwd,
      stdio: ["pipe", "pipe", "pipe", "pipe"],
      // The program gets a session and so a group of its own: signals to our group do not reach it, and `-pid` names
      // its whole group.
      detached: true,
    });
    // Listens for `error`, which would end this process otherwise: so before anything here can throw.
    this.exited = exitOf(child);
    const streams = child.stdio as unknown as [Writable, Readable, Readable, Duplex] | undefined;
    if (!streams) throw new Error("its program cannot be started: no file descriptors left (see `ulimit -n`)");
    const [stdin, stdout, stderr, lifeline] = streams;
    this.stdin = stdin;
    this.stdout = stdout;
    this.stderr = stderr;
    this.#lifeline = lifeline;
    this.#process = child;
    // A write to a pipe whose reader is gone fails. `exited` says that the program has exited, so ignore the failure.
    for (const stream of [stdin, stdout, stderr, lifeline]) stream.on("error", () => {});
    // Read the pipe, or its end would never be noticed.
    this.#watcherGone = new Promise((resolve) => lifeline.once("close", resolve).resume());
  }

  /** Undefined when the program could not be started at all. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  /**
   * Ends the program's input, then sends SIGTERM, then kills; waits `graceMs` after each of the first two. Idempotent.
   */
  async stop(graceMs: number): Promise<void> {
    this.stdin.end();
    if (!(await settlesWithin(graceMs, this.exited))) {
      this.#signal("SIGTERM");
      await settlesWithin(graceMs, this.exited);
    }
    await this.kill();
  }

  /** Resolves when the program has exited and every other process of the group was sent SIGKILL. Idempotent. */
  kill(): Promise<void> {
    this.#killing ??= this.#kill();
    return this.#killing;
  }

  async #kill(): Promise<void> {
    this.#lifeline.end();
    // The watcher sends SIGKILL to the whole group, itself included: so its end of the pipe closes last.
    await settlesWithin(WATCHER_MS, this.#watcherGone);
    // The program may have killed its watcher, or the search for the mark may hang.
    this.#signal("SIGKILL");
    await this.exited;
    for (const stream of [this.stdin, this.stdout, this.stderr, this.#lifeline]) stream.destroy();
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.pid === undefined) return;
    try {
      process.kill(-this.pid, signal);
    } catch {
      // No process of the group is left.
    }
  }
}

/** @returns whether `promise`, which never rejects, was settled within `ms` */
async function settlesWithin(ms: number, promise: Promise<unknown>): Promise<boolean> {
  const abort = new AbortController();
  const timeout = delay(ms, false, { signal: abort.signal }).catch(() => false);
  const result = await Promise.race([promise.then(() => true), timeout]);
  abort.abort();
  return result;
}

async function exitOf(child: ChildProcess): Promise<ProgramExit> {
  try {
    const [code, signal] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
    return { code, signal };
  } catch {
    // The shell could not be started (no processes left, or no such folder). Use the shell's own code for that.
    return { code: 126, signal: null };
  }
}
