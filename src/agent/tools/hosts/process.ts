/**
 * A process that runs one call of a tool at a time, for native and untrusted code. The damage it does to its memory,
 * its file descriptors and itself stays inside. The process leads a group of its own, which is killed with it.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { Socket } from "node:net";
import { CHANNEL_FD, SocketChannel, type ChannelLimits } from "../../../process/channel.ts";
import { atMost } from "../../../core/at-most.ts";
import { entryPath } from "../../../tree.ts";
import { killLeftovers, newMarker } from "../../leftovers.ts";
import { guestEnv } from "./guest-env.ts";
import { usedTooMuch, watchMemory } from "./memory-watch.ts";
import { OutputTail } from "./output-tail.ts";
import { readFromGuest, type GuestTask } from "./protocol.ts";
import type { HostedTool, OpenVessel, VesselEvents } from "./vessel.ts";

const ENTRY = entryPath("agent/tools/hosts/guest-process");

/** The largest message is a result of 8 MiB of files, in base64, with texts. */
const LIMITS: ChannelLimits = {
  maxLineBytes: 16 * 1024 * 1024,
  bytesASecond: 64 * 1024 * 1024,
  messagesASecond: 10_000,
};
/** The end of the channel and the end of the process may be seen in either order, a moment after each other. */
const EXIT_NOTICE_MS = 200;

/** Memory that Node and zod need, beside the tool's own. */
const BASE_MB = 80;

export const openProcess: OpenVessel = (tool, { onMessage, onExit }) => {
  const marker = newMarker();
  const child = start(tool, marker);
  const { pid } = child;
  let reason: string | undefined;
  let tail = new OutputTail();
  readOutput(child, (chunk) => tail.take(chunk));
  const kill = () => {
    if (pid === undefined) return;
    killGroup(pid);
    void killLeftovers(marker);
  };
  const end = (why: string) => {
    reason ??= why;
    kill();
  };
  const watch = watchMemory(
    tool.memoryMb + BASE_MB,
    () => residentMb(pid),
    () => end(usedTooMuch(tool.memoryMb)),
  );
  const said = Promise.withResolvers<void>();
  const channel = channelOf(child, {
    onMessage,
    onAllSaid: said.resolve,
    onLost: end,
  });
  const gone = (why: string, saidAll = false) => {
    watch.stop();
    // Also ends the processes that it left behind, inside and outside of its group.
    kill();
    onExit(reason ?? why, saidAll);
  };
  child.once("exit", (code, signal) => {
    const why = `The tool's process ended (${signal ?? `exit code ${code}`}).`;
    // What it said last may still be in the channel: a result, or why its file could not be loaded.
    void atMost(EXIT_NOTICE_MS, said.promise).then((saidAll) => gone(why, saidAll));
  });
  // A child without a pid has no exit event.
  child.on("error", (error) => pid === undefined && gone(`The tool's process did not start: ${error.message}`));
  if (pid !== undefined) void preferForOutOfMemory(pid);
  return {
    isShared: false,
    hasEnded: () => hasEnded(child),
    send: (message) => void channel.send(message),
    openOutput: () => (tail = new OutputTail()),
    killChildrenOf: (callId) => void killLeftovers(`${marker}:${callId}`),
    kill,
  };
};

function start({ source, memoryMb, env }: HostedTool, marker: string): ChildProcess {
  const task: GuestTask = { source, marker };
  return spawn(process.execPath, [`--max-old-space-size=${memoryMb}`, ENTRY, JSON.stringify(task)], {
    env: guestEnv(env, marker),
    detached: true,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
}

interface ChannelEnds {
  /** The channel has ended, and everything that the process wrote was read and understood. */
  readonly onAllSaid: () => void;
  readonly onLost: (why: string) => void;
}

/**
 * Not Node's IPC: whatever runs in the process can write into the file descriptor, and a line that is no JSON would then
 * end the agent process.
 */
function channelOf(
  child: ChildProcess,
  { onMessage, onAllSaid, onLost }: Pick<VesselEvents, "onMessage"> & ChannelEnds,
): SocketChannel {
  // A process that did not start has no streams.
  const end = (child.stdio?.[CHANNEL_FD] as Socket | null | undefined) ?? new Socket().destroy();
  const channel = new SocketChannel(end, { limits: LIMITS });
  let isWhole = true;
  channel.listen({
    onMessage: (data) => {
      const message = readFromGuest(data);
      // A tool that wrote half a line into the channel has spoilt the guest's next message.
      isWhole &&= message !== undefined;
      // The call's earlier output is in the pipe by now, and is read in this tick of the event loop: handle the message
      // after it.
      if (message) setImmediate(() => onMessage(message));
    },
    onClose: (flood) => {
      // Behind the last message.
      if (isWhole && flood === undefined) setImmediate(onAllSaid);
      if (flood !== undefined) return onLost(`The tool's process was ended: ${flood}.`);
      // A process that has ended closes the channel too, and its exit says more about the reason.
      if (hasEnded(child)) return;
      const timer = setTimeout(
        () => onLost("The tool closed the channel between its process and the server."),
        EXIT_NOTICE_MS,
      );
      child.once("exit", () => clearTimeout(timer));
    },
  });
  return channel;
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, "SIGKILL");
  } catch {
    // No process of the group is left.
  }
}

const PAUSE_MS = 50;

/** @param take returns true when it has got too much at once */
function readOutput({ stdout, stderr }: ChildProcess, take: (chunk: Buffer) => boolean): void {
  for (const stream of [stdout, stderr])
    stream?.on("data", (chunk: Buffer) => {
      // Pause, because reading a flood at full speed would take all of this process's time.
      if (take(chunk)) pauseBriefly(stream);
    });
}

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
