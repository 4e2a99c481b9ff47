/**
 * Whether this process is the init of its container. Processes whose parent died become children of init, which must
 * wait for each: else they stay as zombies, and a tool that starts programs fills the process table. Node can wait only
 * for what it started itself.
 */

/** For log and banner. */
export const NEEDS_INIT =
  "evenkeel is process 1 of its container and cannot reap what tools leave behind. Start the container with an init: " +
  "`docker run --init`, `init: true` in a compose file, shareProcessNamespace in a pod, or tini as entry point.";

export function needsInit(pid = process.pid): boolean {
  return pid === 1;
}
