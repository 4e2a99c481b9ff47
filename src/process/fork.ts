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
 * After a burst V8 keeps a young generation of two halves, 16 MB each; a worker's garbage is small and dies young.
 * [100 clients that never read: 13 to 34 MB more with V8's own limit, 0.2 to 11 with this one; CPU a request and a
 * frame the same.]
 */
const YOUNG_GENERATION = "--max-semi-space-size=8";

/**
 * SCHED_NONE: each worker accepts for itself. [With round-robin every `kill -9` of a worker left 0.4–0.7
 * connections hanging for good; with SCHED_NONE none.]
 */
export function forkWorker({ entry, args, env }: ForkOptions): Child {
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  cluster.setupPrimary({ exec: entry, args: [...args], execArgv: [...process.execArgv, YOUNG_GENERATION] });
  return new Child(cluster.fork(env).process);
}

export function forkPlain({ entry, args, env }: ForkOptions): Child {
  return new Child(fork(entry, args, { env }));
}
