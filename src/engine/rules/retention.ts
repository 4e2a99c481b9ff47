/** What `retain` does in each driver, in which order, and how much at a time. Called by the drivers. */
import type { Retention } from "../../core/retention.ts";

/** Time that one kind of upkeep may take in a second, so that the others have time, too. */
const SHARE_MS = 100;

/** Threads that one step looks at. */
const THREADS_A_STEP = 100;
/** Runs whose deltas one step joins; it joins fewer when they have many deltas. */
export const RUNS_A_STEP = 100;
export const ACTIVITIES_A_STEP = 500;

/**
 * For SQL: whether the thread `id` has to stay, however old it is: it has a run under way, or it is of delegated runs,
 * which are removed with the threads of their parents.
 */
export function isKept(id: string): string {
  return (
    `EXISTS (SELECT 1 FROM runs r WHERE r.thread_id = ${id} AND (r.status IN ('queued', 'running') OR ` +
    "EXISTS (SELECT 1 FROM runs p WHERE p.id = r.parent_id)))"
  );
}

/** One short transaction of upkeep. @returns whether more of its kind could be done at once */
type Step = (endsAt: number) => Promise<boolean>;

/** Each step gets the time before which things are old enough, in ms since the epoch. */
export interface RetentionSteps {
  readonly removeThreads: (before: number, endsAt: number) => Promise<boolean>;
  /** A file in use stays, however old it is. */
  readonly removeFiles: (before: number, endsAt: number) => Promise<boolean>;
  readonly removeActivities: (before: number) => Promise<boolean>;
  readonly forgetKeys: (before: number) => Promise<boolean>;
  readonly joinDeltas: (before: number) => Promise<boolean>;
  /** Gives free space back to the disk, in a driver that can. */
  readonly giveBack?: () => Promise<boolean>;
}

/** @returns whether more work is left that could be done at once */
export async function retainAll(
  { threadsMs, filesMs, activitiesMs, keysMs, deltasMs }: Retention,
  now: number,
  steps: RetentionSteps,
): Promise<boolean> {
  const older: readonly (readonly [number | undefined, RetentionSteps["removeThreads"]])[] = [
    [threadsMs, steps.removeThreads],
    [filesMs, steps.removeFiles],
    [activitiesMs, steps.removeActivities],
    [keysMs, steps.forgetKeys],
    [deltasMs, steps.joinDeltas],
    [0, async () => (await steps.giveBack?.()) ?? false],
  ];
  let isMore = false;
  for (const [ageMs, step] of older) {
    if (ageMs !== undefined && (await withinShare((endsAt) => step(now - ageMs, endsAt)))) isMore = true;
  }
  return isMore;
}

/**
 * Repeats a step until nothing is left, or its share of time is over.
 * @param step gets the end of its share of time, by `performance.now()`. @returns whether more is left
 */
export async function withinShare(step: Step): Promise<boolean> {
  const endsAt = performance.now() + SHARE_MS;
  while (await step(endsAt)) if (performance.now() >= endsAt) return true;
  return false;
}

interface OldThread {
  readonly id: string;
  readonly kept: 0 | 1 | boolean;
}

export interface OldThreadsOptions<T extends OldThread> {
  /** The oldest threads behind `last`, at most `limit`. */
  readonly look: (last: T | undefined, before: number, limit: number) => Promise<readonly T[]>;
  readonly remove: (threadId: string) => Promise<unknown>;
}

/** Removes old threads, some a step. */
export class OldThreads<T extends OldThread> {
  readonly #options: OldThreadsOptions<T>;
  /**
   * The thread that was looked at last. The next step goes on behind it, so that threads that have to stay block no
   * others.
   */
  #last: T | undefined;

  constructor(options: OldThreadsOptions<T>) {
    this.#options = options;
  }

  /** @returns whether more could be done at once */
  async step(before: number, endsAt: number): Promise<boolean> {
    const { look, remove } = this.#options;
    const threads = await look(this.#last, before, THREADS_A_STEP);
    for (const thread of threads) {
      this.#last = thread;
      if (!thread.kept) await remove(thread.id);
      if (performance.now() >= endsAt) return true;
    }
    if (threads.length === THREADS_A_STEP) return true;
    this.#last = undefined;
    return false;
  }
}
