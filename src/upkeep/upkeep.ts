/**
 * What the primary does for the data: the storage's upkeep, and a look at the runs. It happens in a thread of its own,
 * of low priority: a checkpoint takes milliseconds, and on a slow disk much longer, in which the primary would
 * supervise nobody and a woken worker would wait for its core. [With it at low priority, the p99 of /health beside 200
 * chats was a fifth less.]
 */
import { GAUGE } from "../core/gauges.ts";
import { Worker } from "node:worker_threads";
import { ACTIVITY_TYPES, type ActivityType } from "../core/activity.ts";
import type { ActivityCounts, Engine } from "../engine/engine.ts";
import type { Retention } from "../core/retention.ts";
import type { OpenOptions } from "../engine/driver.ts";
import type { Log } from "../observe/log.ts";
import type { Gauges } from "../process/protocol.ts";
import { entryUrl } from "../tree.ts";

const RETRY_MS = 1_000;
const FAILED = "upkeep of the data failed";

export interface UpkeepTask {
  readonly storage: OpenOptions;
  readonly retention: Retention;
  /** Activities after this one are counted. */
  readonly lastActivity: number;
}

/** Once a second, from the thread. The activities are those since the last news. */
export type UpkeepNews =
  | {
      readonly runs: Awaited<ReturnType<Engine["counts"]>>;
      readonly activities: ActivityCounts;
      readonly warnings: readonly string[];
    }
  | { readonly error: unknown; readonly code?: unknown };

export class Upkeep {
  readonly #task: Pick<UpkeepTask, "storage" | "retention">;
  readonly #log: Log;
  // The counts are kept here, so that they continue when the thread has to be started again.
  readonly #totals = Object.fromEntries(ACTIVITY_TYPES.map((type) => [type, 0])) as Record<ActivityType, number>;
  #lastActivity: number;
  #thread: Worker | undefined;
  #retry: NodeJS.Timeout | undefined;
  readonly #looked = Promise.withResolvers<void>();
  #gauges: Gauges = {};
  #stopping = false;

  constructor({ lastActivity, ...task }: UpkeepTask, log: Log) {
    this.#task = task;
    this.#lastActivity = lastActivity;
    this.#log = log;
  }

  /** Resolves after the first look, also when that failed. Never resolves once `stop` was called. */
  start(): Promise<void> {
    if (!this.#stopping) this.#tryToBegin();
    return this.#looked.promise;
  }

  /** Runs under way by status, and activities by type since the start; none before the first look. */
  get gauges(): Gauges {
    return this.#gauges;
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#retry);
    if (!this.#thread || this.#thread.threadId < 0) return;
    const { promise, resolve } = Promise.withResolvers<number>();
    this.#thread.once("exit", resolve);
    // The empty list is for unicorn's rule, which takes every `postMessage` for that of a window and wants an
    // origin.
    this.#thread.postMessage("stop", []);
    await promise;
  }

  #begin(): Worker {
    const workerData: UpkeepTask = { ...this.#task, lastActivity: this.#lastActivity };
    const thread = new Worker(entryUrl("upkeep/main"), { workerData, name: "upkeep" });
    thread.on("message", (news: UpkeepNews) => this.#hear(news));
    thread.on("error", (error) => this.#hear({ error }));
    thread.on("exit", () => {
      this.#gauges = {};
      this.#beginLater();
    });
    return thread;
  }

  #beginLater(): void {
    if (!this.#stopping) this.#retry = setTimeout(() => this.#tryToBegin(), RETRY_MS);
  }

  #tryToBegin(): void {
    try {
      this.#thread = this.#begin();
    } catch (error) {
      // The system could not start a thread.
      this.#hear({ error });
      this.#beginLater();
    }
  }

  #hear(news: UpkeepNews): void {
    if (!this.#stopping) this.#looked.resolve();
    if ("error" in news) {
      // Unknown figures are left out, because old ones would look current.
      this.#gauges = {};
      this.#log.error({ err: news.error, ...(news.code !== undefined && { code: news.code }) }, FAILED);
      return;
    }
    const { runs, activities, warnings } = news;
    for (const warning of warnings) this.#log.warn({ code: "STORAGE_WARNING" }, warning);
    this.#lastActivity = activities.last;
    for (const type of ACTIVITY_TYPES) this.#totals[type] += activities.byType[type] ?? 0;
    this.#gauges = { [GAUGE.runsQueued]: runs.queued, [GAUGE.runsRunning]: runs.running, ...this.#totals };
  }
}
