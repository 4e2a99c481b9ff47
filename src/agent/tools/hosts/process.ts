/**
 * A process that runs one call of a tool at a time, for native and untrusted code. The damage it does to its memory,
 * its file descriptors and itself stays inside. The process leads a group of its own, which is killed with it.
 */
import { fork } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { entryPath } from "../../../tree.ts";
import { killLeftovers, newMarker } from "../../leftovers.ts";
import { guestEnv } from "./guest-env.ts";
import { usedTooMuch, watchMemory } from "./memory-watch.ts";
import { OutputTail } from "./output-tail.ts";
import { readFromGuest, type GuestTask } from "./protocol.ts";
import type { OpenVessel } from "./vessel.ts";

const ENTRY = entryPath("agent/tools/hosts/guest-process");

/** Memory that Node and zod need, beside the tool's own. */
const BASE_MB = 80;

export const openProcess: OpenVessel = (tool, { onMessage, onExit }) => {
  const marker = newMarker();
  const task: GuestTask = { source: tool.source, marker };
  const child = fork(ENTRY, [JSON.stringify(task)], {
    env: guestEnv(tool.env, marker),
    execArgv: [`--max-old-space-size=${tool.memoryMb}`],
    detached: true,
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const { pid } = child;
  let reason: string | undefined;
  let tail = new OutputTail();
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk: Buffer) => {
      // Pause, because reading a flood at full speed would take all of this process's time.
      if (tail.take(chunk)) pauseBriefly(stream);
    });
  const kill = () => {
    if (pid === undefined) return;
    killGroup(pid);
    void killLeftovers(marker);
  };
  const watch = watchMemory(
    tool.memoryMb + BASE_MB,
    () => residentMb(pid),
    () => {
      reason ??= usedTooMuch(tool.memoryMb);
      kill();
    },
  );
  child.on("message", (data: unknown) => {
    const message = readFromGuest(data);
    // The call's earlier output is in the pipe by now, and is read in this tick of the event loop: handle the message
    // after it.
    if (message) setImmediate(() => onMessage(message));
  });
  const gone = (why: string) => {
    watch.stop();
    // Also ends the processes that it left behind, inside and outside of its group.
    kill();
    onExit(reason ?? why);
  };
  child.once("exit", (code, signal) => gone(`The tool's process ended (${signal ?? `exit code ${code}`}).`));
  // A child without a pid has no exit event.
  child.on("error", (error) => pid === undefined && gone(`The tool's process did not start: ${error.message}`));
  if (pid !== undefined) void preferForOutOfMemory(pid);
  return {
    isShared: false,
    send: (message) => void (child.connected && child.send(message, () => {})),
    openOutput: () => (tail = new OutputTail()),
    killChildrenOf: (callId) => void killLeftovers(`${marker}:${callId}`),
    kill,
  };
};

function killGroup(leader: number): void {
  try {
    process.kill(-leader, "SIGKILL");
  } catch {
    // No process of the group is left.
  }
}

const PAUSE_MS = 50;

/** The stream ends with its process, and the timer with the pause, so neither outlives the child for long. */
function pauseBriefly(stream: NodeJS.ReadableStream): void {
  stream.pause();
  setTimeout(() => stream.resume(), PAUSE_MS);
}

const PAGE_BYTES = 4096;

/** 0 where /proc does not say it. */
async function residentMb(pid: number | undefined): Promise<number> {
  const [, pages = "0"] = (await readFile(`/proc/${pid}/statm`, "latin1").catch(() => "")).split(" ");
  return (Number(pages) * PAGE_BYTES) / 2 ** 20;
}

/** When the machine has no memory left, the kernel should kill this process and not one of the server's. */
async function preferForOutOfMemory(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/oom_score_adj`, "1000").catch(() => {});
}
