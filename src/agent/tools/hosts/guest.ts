/**
 * Runs the calls of one tool where its code is loaded: in a thread or process of its own. Started by `guest-thread.ts`
 * and `guest-process.ts`, directed by a host. An error that a tool throws too late, or never catches, fails the call
 * that caused it, and no other.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { readlinkSync } from "node:fs";
import { setPriority } from "node:os";
import { isMainThread } from "node:worker_threads";
import { runDefined } from "../inline.ts";
import { reasonOf } from "../text.ts";
import type { CallReport } from "../invoke.ts";
import type { DefinedTool } from "../tool.ts";
import { CallMemory } from "./call-memory.ts";
import { prepareRealm } from "./guest-realm.ts";
import { GUEST_NICE, type FromGuest, type GuestTask, type ToGuest } from "./protocol.ts";

export interface GuestPort {
  /** Resolves to whether the host can read the message, even if this guest ends now. */
  send(message: FromGuest): Promise<boolean>;
  listen(onMessage: (message: ToGuest) => void): void;
}

interface Call {
  readonly id: number;
  readonly abort: AbortController;
  readonly memory: CallMemory | undefined;
}

export class Guest {
  readonly #port: GuestPort;
  readonly #task: GuestTask;
  readonly #current = new AsyncLocalStorage<Call>();
  // Bounded by the host: it decides how many calls share this guest.
  readonly #calls = new Map<number, Call>();
  #tool: DefinedTool | undefined;
  #atRest: readonly string[] = [];

  constructor(port: GuestPort, task: GuestTask) {
    this.#port = port;
    this.#task = task;
  }

  async start(): Promise<void> {
    process.on("uncaughtException", (error) => this.#blame(error));
    process.on("unhandledRejection", (reason) => this.#blame(reason));
    prepareRealm(() => `${this.#task.marker}:${this.#current.getStore()?.id ?? ""}`);
    try {
      const module = (await import(this.#task.source)) as { tool?: DefinedTool };
      if (!module.tool) throw new Error("The file does not export `tool` any more.");
      this.#tool = module.tool;
    } catch (error) {
      void this.#port.send({ type: "failed", reason: reasonOf(error) });
      return;
    }
    // Lower the priority only after loading, because a caller waits for the loading.
    lowerToolPriority();
    this.#port.listen((message) => this.#hear(message));
    this.#atRest = process.getActiveResourcesInfo();
    void this.#port.send({ type: "ready", threadId: kernelThreadId() });
  }

  /** Takes output for the call that runs now. */
  readonly print = (bytes: Uint8Array): void => this.#current.getStore()?.memory?.print(bytes);

  #hear(message: ToGuest): void {
    if (message.type === "ping") void this.#port.send({ type: "pong" });
    else if (message.type === "abort") this.#calls.get(message.id)?.abort.abort(new Error(message.reason));
    else void this.#begin(message);
  }

  async #begin({ id, input, context, memory: shared }: ToGuest & { type: "call" }): Promise<void> {
    const tool = this.#tool;
    const memory = shared && new CallMemory(shared);
    // The host withdrew the call while this event loop was blocked: the call runs elsewhere.
    if (!tool || (memory && !memory.take())) return;
    const call: Call = { id, abort: new AbortController(), memory };
    this.#calls.set(id, call);
    // The host must know of the beginning before the tool's code can end this process: it begins a call again elsewhere
    // if it did not hear that.
    if (!memory && !(await this.#port.send({ type: "begun", id }))) return;
    const { signal } = call.abort;
    const report = (report: CallReport) => this.#calls.has(id) && void this.#port.send({ type: "report", id, report });
    // `runDefined` never rejects.
    const { content, isError } = await this.#current.run(call, () =>
      runDefined(tool, input, { data: context, signal, report }),
    );
    if (!this.#calls.delete(id)) return;
    void this.#port.send({ type: "settled", id, content, isError, isClean: this.#isClean() });
  }

  /** An error that no call caught: its async context tells which call it came from. */
  #blame(thrown: unknown): void {
    const call = this.#current.getStore();
    const isUnderWay = call !== undefined && this.#calls.delete(call.id);
    void this.#port.send({ type: "fault", id: isUnderWay ? call.id : null, reason: reasonOf(thrown) });
  }

  #isClean(): boolean {
    if (this.#calls.size > 0) return false;
    const left = [...process.getActiveResourcesInfo()];
    for (const resource of this.#atRest) {
      const index = left.indexOf(resource);
      if (index >= 0) left.splice(index, 1);
    }
    return left.length === 0;
  }
}

/** In a thread only on Linux: elsewhere the whole agent process would get the priority. */
function lowerToolPriority(): void {
  if (isMainThread || process.platform === "linux") setPriority(GUEST_NICE);
}

/** On Linux: /proc lists the child processes of each thread. */
function kernelThreadId(): number | null {
  try {
    return Number(readlinkSync("/proc/thread-self").split("/").at(-1));
  } catch {
    return null;
  }
}
