/**
 * Whether this process is the init of its container. A process whose parent died becomes a child of init, and
 * init must wait for it. Otherwise it stays as a zombie, and a tool that starts programs fills the process
 * table. Node can wait only for processes that it started itself.
 */

/** For log and banner. */
export const NEEDS_INIT =
  "evenkeel is process 1 of its container and cannot reap what tools leave behind. Start the container with an init: " +
  "`docker run --init`, `init: true` in a compose file, shareProcessNamespace in a pod, or tini as entry point.";

export function needsInit(pid = process.pid): boolean {
  return pid === 1;
}
