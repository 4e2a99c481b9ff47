/**
 * A thread for the calls of one tool. `process.exit`, a full heap and `terminate()` end this thread, and nothing else.
 */
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
import { entryUrl } from "../../../tree.ts";
import { killLeftovers, newMarker } from "../../leftovers.ts";
import { CallMemory } from "./call-memory.ts";
import { guestEnv } from "./guest-env.ts";
import { readFromGuest, type GuestTask } from "./protocol.ts";
import { usedTooMuch, watchMemory } from "./memory-watch.ts";
import type { HostedTool, OpenVessel } from "./vessel.ts";

/**
 * V8's own limit comes second: when a single allocation exceeds it by more than 16 MB, V8 ends the whole process. [An
 * array of 400 MB did so at a limit of 256 MB.] So we watch the memory ourselves, and set V8's limit higher by this
 * much.
 */
const ROOM_MB = 1024;

export const openThread: OpenVessel = (tool, { onMessage, onExit }) => {
  const { port1: port, port2 } = new MessageChannel();
  const marker = newMarker();
  let reason: string | undefined;
  let threadId: number | null = null;
  const thread = start(tool, marker, port2);
  const kill = () => {
    // First while the thread lives, because the list of its children ends with it.
    void killLeftovers(marker, threadId).then(() => killLeftovers(marker));
    void thread.terminate();
  };
  const watch = watchMemory(
    tool.memoryMb,
    () => usedMb(thread),
    () => {
      reason ??= usedTooMuch(tool.memoryMb);
      kill();
    },
  );
  const hear = (data: unknown) => {
    const message = readFromGuest(data);
    if (message?.type === "ready") ({ threadId } = message);
    if (message) onMessage(message);
  };
  port.on("message", hear);
  thread.on("error", (error) => (reason ??= whyEnded(error)));
  thread.on("exit", (code) => {
    watch.stop();
    // What the thread said last may still be in the port: a result, or why its file could not be loaded.
    for (let last = receiveMessageOnPort(port); last; last = receiveMessageOnPort(port)) hear(last.message);
    port.close();
    void killLeftovers(marker);
    onExit(reason ?? `The tool ended its thread (exit code ${code}).`, true);
  });
  return {
    isShared: true,
    // `onExit` is called when the end is seen.
    hasEnded: () => false,
    send: (message) => port.postMessage(message, []),
    openOutput: () => {
      const memory = new CallMemory();
      return { text: () => memory.text(), withdraw: () => memory.withdraw(), shared: memory.shared };
    },
    killChildrenOf: (callId) => void killLeftovers(`${marker}:${callId}`),
    kill,
  };
};

function start({ name, source, env, memoryMb }: HostedTool, marker: string, port: MessagePort): Worker {
  const task: GuestTask = { source, marker };
  return new Worker(entryUrl("agent/tools/hosts/guest-thread"), {
    name: `tool ${name}`,
    workerData: { ...task, port },
    transferList: [port],
    env: guestEnv(env, marker),
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: memoryMb + ROOM_MB, maxYoungGenerationSizeMb: 32, stackSizeMb: 4 },
  });
}

function whyEnded(error: unknown): string {
  const { code, message } = error as Partial<NodeJS.ErrnoException>;
  if (code === "ERR_WORKER_OUT_OF_MEMORY") return "The tool ran out of memory.";
  return `The tool ended its thread: ${message ?? String(error)}`;
}

/** Zero when the thread cannot answer: it has ended, or is inside native code. */
async function usedMb(thread: Worker): Promise<number> {
  try {
    const { used_heap_size: heap, external_memory: external } = await thread.getHeapStatistics();
    return (heap + external) / 2 ** 20;
  } catch {
    return 0;
  }
}
