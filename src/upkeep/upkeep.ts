/**
 * What the primary does for the data: the storage's upkeep, and a look at the runs. It happens in a thread of its own,
 * of low priority: a checkpoint takes milliseconds, and on a slow disk much longer, in which the primary would
 * supervise nobody and a woken worker would wait for its core. [The p99 of /health beside 200 chats: a fifth less.]
 */
import { Worker } from "node:worker_threads";
import type { OpenOptions } from "../engine/open.ts";
import type { Log } from "../observe/log.ts";
import type { Gauges } from "../process/protocol.ts";

const RETRY_MS = 1_000;

export interface UpkeepTask {
  readonly storage: OpenOptions;
  /** Activities are counted from behind this one. */
  readonly lastActivity: number;
}

/** Once a second, from the thread. */
export type UpkeepNews = { readonly gauges: Gauges } | { readonly error: unknown };

export class Upkeep {
  readonly #task: UpkeepTask;
  readonly #log: Log;
  #thread: Worker;
  #retry: NodeJS.Timeout | undefined;
  #gauges: Gauges = {};
  #stopping = false;

  constructor(task: UpkeepTask, log: Log) {
    this.#task = task;
    this.#log = log;
    this.#thread = this.#begin();
  }

  /** Runs under way by status, and activities by type since the start; none before the first look. */
  get gauges(): Gauges {
    return this.#gauges;
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#retry);
    if (this.#thread.threadId < 0) return;
    const { promise, resolve } = Promise.withResolvers<number>();
    this.#thread.once("exit", resolve);
    // The empty list says that this is no window, whose postMessage must name an origin (unicorn's rule).
    this.#thread.postMessage("stop", []);
    await promise;
  }

  #begin(): Worker {
    const thread = new Worker(new URL("main.ts", import.meta.url), { workerData: this.#task, name: "upkeep" });
    thread.on("message", (news: UpkeepNews) => this.#hear(news));
    thread.on("error", (error) => this.#hear({ error }));
    thread.on("exit", () => {
      this.#gauges = {};
      if (!this.#stopping) this.#retry = setTimeout(() => (this.#thread = this.#begin()), RETRY_MS);
    });
    return thread;
  }

  #hear(news: UpkeepNews): void {
    // What cannot be told is left out: old figures would pass for true ones.
    this.#gauges = "gauges" in news ? news.gauges : {};
    if ("error" in news) this.#log.error({ err: news.error }, "upkeep of the data failed");
  }
}
