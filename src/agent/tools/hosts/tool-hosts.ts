/**
 * The hosts of one tool, and its `invoke`: finds a host for each call, starts a new host when there is none, lets calls
 * wait when no more hosts are allowed, and decides about calls whose host ended under them.
 */
import { failure, type Invoke } from "../invoke.ts";
import { unknownOutcome } from "../outcome.ts";
import type { HostBudget } from "./budget.ts";
import { Host } from "./host.ts";
import { HostedCall } from "./hosted-call.ts";
import { openProcess } from "./process.ts";
import { openThread } from "./thread.ts";
import type { HostedTool } from "./vessel.ts";

const STOPPED = "The server stopped while it ran.";

export interface ToolHostsLog {
  warn(fields: object, message: string): void;
}

export class ToolHosts {
  readonly #tool: HostedTool;
  readonly #budget: HostBudget;
  readonly #log: ToolHostsLog;
  readonly #hosts = new Set<Host>();
  // Bounded by the calls of the runs under way. First come, first served.
  #waiting: HostedCall[] = [];
  readonly #placed = new Map<HostedCall, Host>();
  #isolation: HostedTool["isolation"];
  #lastId = 0;
  #isStopped = false;

  constructor(tool: HostedTool, budget: HostBudget, log: ToolHostsLog) {
    this.#tool = tool;
    this.#budget = budget;
    this.#log = log;
    this.#isolation = tool.isolation;
  }

  get calls(): number {
    return this.#placed.size;
  }

  get givenUp(): number {
    return [...this.#hosts].reduce((sum, host) => sum + host.givenUp, 0);
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Includes hosts that were killed and have not ended yet. */
  get hosts(): { readonly threads: number; readonly processes: number } {
    const processes = [...this.#hosts].filter(({ isProcess }) => isProcess).length;
    return { threads: this.#hosts.size - processes, processes };
  }

  readonly invoke: Invoke = (input, context) => {
    if (context.signal.aborted) return Promise.resolve(failure("The run has ended."));
    this.#lastId += 1;
    const call = new HostedCall(this.#lastId, { input, context }, () => this.#giveUp(call));
    this.#place(call);
    return call.result;
  };

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const call of this.#waiting) call.fail(STOPPED);
    this.#waiting = [];
    await Promise.all([...this.#hosts].map((host) => host.stop(STOPPED)));
  }

  #giveUp(call: HostedCall): void {
    const { message } = call.aborted.reason as Error;
    this.#waiting = this.#waiting.filter((other) => other !== call);
    this.#placed.get(call)?.giveUp(call, message);
    call.fail(message);
  }

  #place(call: HostedCall): void {
    const withRoom = () => [...this.#hosts].find((host) => host.canTake(call));
    // Where one idle process has died, others may have died with it whose end is not seen yet.
    const host = call.wasMissed ? (this.#start() ?? withRoom()) : (withRoom() ?? this.#start());
    if (!host) return void this.#waiting.push(call);
    this.#placed.set(call, host);
    void call.result.then(() => this.#placed.delete(call));
    host.take(call);
  }

  /** Undefined when no more hosts are allowed. */
  #start(): Host | undefined {
    if (this.#isStopped || !this.#budget.take(this.#hosts.size)) return undefined;
    const open = this.#isolation === "thread" ? openThread : openProcess;
    const host: Host = new Host(this.#tool, open, {
      onRefused: (call) => this.#place(call),
      onRoom: () => this.#placeWaiting(),
      onGone: ({ orphans, missed, reason, isBlamed, hasServed }) => {
        for (const call of orphans) this.#decide(call, { reason, isBlamed: isBlamed && orphans.length === 1 });
        for (const call of missed) this.#beginElsewhere(call, { reason, hasServed });
      },
      onEnded: () => {
        this.#hosts.delete(host);
        this.#budget.giveBack(this.#hosts.size);
        this.#placeWaiting();
      },
      onStuck: () => this.#leaveThreads(host),
      onStray: (reason) => this.#log.warn({ tool: this.#tool.name, reason }, "a tool threw after its call had ended"),
    });
    this.#hosts.add(host);
    return host;
  }

  /** Decides about a call whose host has ended under it. */
  #decide(call: HostedCall, { reason, isBlamed }: { readonly reason: string; readonly isBlamed: boolean }): void {
    this.#placed.delete(call);
    if (isBlamed) return call.fail(reason);
    if (this.#isStopped || this.#tool.effects === "unsafe" || call.isAlone)
      return call.settle(unknownOutcome(`${this.#tool.name} was interrupted. ${reason}`));
    call.isAlone = true;
    this.#place(call);
  }

  /**
   * Safe for an unsafe tool too, as its code has not seen the call. Of hosts that end at their start the call is given only two,
   * because its file may end each of them. Hosts that have served may all have died together, unseen, and do not count.
   */
  #beginElsewhere(
    call: HostedCall,
    { reason, hasServed }: { readonly reason: string; readonly hasServed: boolean },
  ): void {
    this.#placed.delete(call);
    const isHopeless = !hasServed && call.wasMissedAtStart;
    if (this.#isStopped || isHopeless) return call.fail(`${reason} The call had not begun.`);
    call.wasMissed = true;
    call.wasMissedAtStart ||= !hasServed;
    this.#place(call);
  }

  /** A thread that cannot be ended keeps its memory and a processor busy. A process can always be ended. */
  #leaveThreads(host: Host): void {
    if (host.isProcess || this.#isolation === "process") return;
    this.#isolation = "process";
    this.#log.warn(
      { tool: this.#tool.name },
      "a thread of this tool cannot be ended; from now on it runs in processes",
    );
  }

  #placeWaiting(): void {
    const calls = this.#waiting;
    this.#waiting = [];
    for (const call of calls) this.#place(call);
  }
}
