/**
 * Ends this process when its parent is gone, even while its event loop is blocked: a thread of its own
 * looks at the parent's pid. Without it a blocked worker, or any agent, outlives a killed primary.
 */
import { Worker } from "node:worker_threads";

// Each look wakes an idle process. [Six of them at 200 ms: 0.4 % of a core.]
const CHECK_MS = 500;

// The thread's code is plain source and not a file, because a thread that loads no module starts in a few
// milliseconds.
const threadThatKills = (target: number) => `
  const { ppid } = process;
  setInterval(() => {
    if (process.ppid !== ppid) process.kill(${target}, "SIGKILL");
  }, ${CHECK_MS});
`;

/**
 * The thread does not keep the process alive.
 * @param target what is killed: this process, or the negative pid of its group
 */
export function startWatchdog(target = process.pid): void {
  const thread = new Worker(threadThatKills(target), {
    eval: true,
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
  });
  // `unref()` hides no leak here: the thread ends with the process, and it must not keep the process alive.
  thread.unref();
}
