/**
 * How children are forked: workers through node:cluster, so that they share the port; the others plainly.
 * Each gets its end of a channel at CHANNEL_FD, and nothing on stdin.
 */
import { spawn, type ChildProcess } from "node:child_process";
import cluster from "node:cluster";
import { EventEmitter } from "node:events";
import { Socket } from "node:net";
import { CHILD_LIMITS, SocketChannel } from "./channel.ts";
import { Child, type ForkedProcess } from "./child.ts";

export interface ForkOptions {
  /** Path of its `main.ts`. */
  readonly entry: string;
  readonly args: readonly string[];
  /** What the child must know. Sent over its channel: an environment can be read by every process of the same user. */
  readonly settings: unknown;
}

/**
 * After a burst V8 keeps a young generation of two halves, 16 MB each; a worker's garbage is small and dies young.
 * [100 clients that never read: 13 to 34 MB more with V8's own limit, 0.2 to 11 with this one; CPU a request and a
 * frame the same.]
 */
const YOUNG_GENERATION = "--max-semi-space-size=8";

/** SIGUSR1 would open an inspector, to every user of this machine. */
const NO_INSPECTOR = "--disable-sigusr1";

/** The fourth is CHANNEL_FD. */
const STDIO = ["ignore", "inherit", "inherit", "pipe"] as const;

/** Workers use Node's IPC only for the messages that `cluster` sends at each start, about ten. */
const MAX_IPC_MESSAGES = 1_000;

/**
 * SCHED_NONE: each worker accepts for itself. [With round-robin every `kill -9` of a worker left 0.4–0.7
 * connections hanging for good; with SCHED_NONE none.]
 */
export function forkWorker({ entry, args, settings }: ForkOptions): Child {
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  const execArgv = [...process.execArgv, NO_INSPECTOR, YOUNG_GENERATION];
  cluster.setupPrimary({ exec: entry, args: [...args], execArgv, stdio: [...STDIO, "ipc"] });
  const worker = started(() => cluster.fork().process);
  const child = childOf(worker, settings);
  guardIpc(worker, (reason) => child.kill(reason));
  return child;
}

export function forkPlain({ entry, args, settings }: ForkOptions): Child {
  const given = [...process.execArgv, NO_INSPECTOR, entry, ...args];
  const plain = started(() => spawn(process.execPath, given, { stdio: [...STDIO] }));
  return childOf(plain, settings);
}

/**
 * Node tells of some failed forks by an `error` event, and throws the others (ENOMEM, E2BIG). Here all become the event:
 * a child that cannot be forked now has died, and its place tries again.
 */
function started(fork: () => ChildProcess): ForkedProcess {
  try {
    return fork();
  } catch (error) {
    const failed = Object.assign(new EventEmitter(), { kill: () => false });
    process.nextTick(() => failed.emit("error", error));
    return failed;
  }
}

function childOf(process: ForkedProcess, settings: unknown): Child {
  // A failed fork has no streams, so its channel is a closed socket.
  const end = process.stdio?.[3] ?? new Socket().destroy();
  const child = new Child(process, new SocketChannel(end as Socket, { limits: CHILD_LIMITS }));
  child.send({ type: "settings", settings });
  return child;
}

/**
 * `cluster` needs Node's IPC between the primary and a worker. Node handles some messages in listeners that throw
 * (`{ cmd: "NODE_HANDLE_ACK" }` without a handle under way), and an exception there would end the primary.
 */
function guardIpc(worker: NodeJS.EventEmitter, kill: (reason: string) => void): void {
  let messages = 0;
  const count = () => {
    messages += 1;
    if (messages > MAX_IPC_MESSAGES) kill(`it sent more than ${MAX_IPC_MESSAGES} messages over Node's IPC, killed`);
  };
  for (const event of ["message", "internalMessage"]) {
    for (const listener of worker.rawListeners(event) as ((...args: unknown[]) => void)[]) {
      worker.off(event, listener);
      worker.on(event, (...args: unknown[]) => {
        try {
          listener.apply(worker, args);
        } catch (error) {
          kill(`it sent a message that Node cannot handle (${String(error)}), killed`);
        }
      });
    }
    worker.on(event, count);
  }
}
