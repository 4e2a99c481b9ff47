/**
 * Changes the guest's own realm before a tool is loaded: an attempt to end or signal the process fails the call
 * instead, child processes are marked so that they can be found again, and the output of a thread goes to its call.
 */
import { ChildProcess } from "node:child_process";
import { MARKER_VARIABLE } from "../../leftovers.ts";

/** @param markerNow returns the marker of the call that runs, or of the host when none runs */
export function prepareRealm(markerNow: () => string): void {
  refuseExit();
  refuseOwnSignals();
  markChildren(markerNow);
}

function refuseExit(): void {
  process.exit = (code) => {
    throw new Error(`The tool called process.exit(${code ?? ""}). Return a result, or throw an error, instead.`);
  };
}

/** A thread has the pid of the agent process, so a signal to its own pid would end other runs. */
function refuseOwnSignals(): void {
  const { pid, ppid } = process;
  const kill = process.kill.bind(process);
  const refused = new Set([pid, -pid, ppid, -ppid, 0, -1]);
  process.kill = (target, signal) => {
    if (signal !== 0 && refused.has(target))
      throw new Error(`The tool called process.kill(${target}), which is the server. Name a process of your own.`);
    return kill(target, signal);
  };
}

interface Spawner {
  spawn: (this: Spawner, options: { envPairs?: string[] }) => unknown;
}

/** A tool may give its child an environment without the marker that the child would inherit. */
function markChildren(markerNow: () => string): void {
  const prototype = ChildProcess.prototype as unknown as Spawner;
  const { spawn } = prototype;
  prototype.spawn = function (options) {
    const others = (options.envPairs ?? []).filter((pair) => !pair.startsWith(`${MARKER_VARIABLE}=`));
    return spawn.call(this, { ...options, envPairs: [...others, `${MARKER_VARIABLE}=${markerNow()}`] });
  };
}

/** Without this, a thread's output would go to the agent's log. @param print takes the output for the call that runs */
export function catchOutput(print: (bytes: Uint8Array) => void): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.write = (chunk: string | Uint8Array, encoding?: unknown, done?: unknown) => {
      print(typeof chunk === "string" ? Buffer.from(chunk, encoding as BufferEncoding) : chunk);
      const callback = typeof encoding === "function" ? encoding : done;
      if (typeof callback === "function") queueMicrotask(() => callback());
      return true;
    };
  }
}
