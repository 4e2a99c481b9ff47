/** How children are forked: workers through node:cluster, so that they share the port; the others plainly. */
import { fork } from "node:child_process";
import cluster from "node:cluster";
import { Child } from "./child.ts";

export interface ForkOptions {
  /** Path of its `main.ts`. */
  readonly entry: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * SCHED_NONE: each worker accepts for itself. [With round-robin every `kill -9` of a worker left 0.4–0.7
 * connections hanging for good; with SCHED_NONE none.]
 */
export function forkWorker({ entry, args, env }: ForkOptions): Child {
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  cluster.setupPrimary({ exec: entry, args: [...args] });
  return new Child(cluster.fork(env).process);
}

export function forkPlain({ entry, args, env }: ForkOptions): Child {
  return new Child(fork(entry, args, { env }));
}
