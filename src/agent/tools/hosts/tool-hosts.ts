/**
 * The hosts of one tool, and its `invoke`: finds a host for each call, starts one when it must, lets calls wait when it
 * may not, and decides what becomes of calls whose host ended under them.
 */
import { failure, type Invoke } from "../invoke.ts";
import { unknownOutcome } from "../outcome.ts";
import type { HostBudget } from "./budget.ts";
import { Host } from "./host.ts";
import { Job } from "./job.ts";
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
  #waiting: Job[] = [];
  readonly #placed = new Map<Job, Host>();
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

  /** Hosts that were killed and have not ended yet count too. */
  get hosts(): { readonly threads: number; readonly processes: number } {
    const processes = [...this.#hosts].filter(({ isProcess }) => isProcess).length;
    return { threads: this.#hosts.size - processes, processes };
  }

  readonly invoke: Invoke = (input, context) => {
    if (context.signal.aborted) return Promise.resolve(failure("The run has ended."));
    this.#lastId += 1;
    const job = new Job(this.#lastId, { input, context }, () => this.#giveUp(job));
    this.#place(job);
    return job.result;
  };

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const job of this.#waiting) job.fail(STOPPED);
    this.#waiting = [];
    await Promise.all([...this.#hosts].map((host) => host.stop(STOPPED)));
  }

  #giveUp(job: Job): void {
    const { message } = job.aborted.reason as Error;
    this.#waiting = this.#waiting.filter((other) => other !== job);
    this.#placed.get(job)?.giveUp(job, message);
    job.fail(message);
  }

  #place(job: Job): void {
    const host = [...this.#hosts].find((host) => host.canTake(job)) ?? this.#start();
    if (!host) return void this.#waiting.push(job);
    this.#placed.set(job, host);
    void job.result.then(() => this.#placed.delete(job));
    host.take(job);
  }

  /** Undefined: there are as many as there may be. */
  #start(): Host | undefined {
    if (this.#isStopped || !this.#budget.take(this.#hosts.size)) return undefined;
    const open = this.#isolation === "thread" ? openThread : openProcess;
    const host: Host = new Host(this.#tool, open, {
      onRefused: (job) => this.#place(job),
      onRoom: () => this.#placeWaiting(),
      onGone: ({ orphans, reason, isBlamed }) => {
        for (const job of orphans) this.#decide(job, { reason, isBlamed: isBlamed && orphans.length === 1 });
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

  /** The host of this job has ended under it. */
  #decide(job: Job, { reason, isBlamed }: { readonly reason: string; readonly isBlamed: boolean }): void {
    this.#placed.delete(job);
    if (isBlamed) return job.fail(reason);
    if (this.#isStopped || this.#tool.effects === "unsafe" || job.isAlone)
      return job.settle(unknownOutcome(`${this.#tool.name} was interrupted. ${reason}`));
    job.isAlone = true;
    this.#place(job);
  }

  /** A thread that cannot be ended holds its memory, and its processor. A process can always be. */
  #leaveThreads(host: Host): void {
    if (host.isProcess || this.#isolation === "process") return;
    this.#isolation = "process";
    this.#log.warn(
      { tool: this.#tool.name },
      "a thread of this tool cannot be ended; from now on it runs in processes",
    );
  }

  #placeWaiting(): void {
    const jobs = this.#waiting;
    this.#waiting = [];
    for (const job of jobs) this.#place(job);
  }
}
