/**
 * One timer for the pace of every stream: sleepers wait in buckets of TICK_MS, one interval wakes the due ones.
 * Owned by one server, used by every Playback. Ten thousand separate timers would cost more than the streams. The
 * interval runs only while a stream sleeps, so an idle simulator costs nothing.
 */

export interface Sleeper {
  /** `nowMs` is the wanted moment or later. */
  wake(nowMs: number): void;
}

const TICK_MS = 2;

export class Pacer {
  /** Bound: one entry for each open stream, which sleeps at most once at a time. */
  readonly #buckets = new Map<number, Set<Sleeper>>();
  readonly #tickOf = new Map<Sleeper, number>();
  readonly #now: () => number;
  #timer: NodeJS.Timeout | undefined;
  #lastTick = 0;

  /** `now` is a monotonic clock in ms. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  now(): number {
    return this.#now();
  }

  get sleepers(): number {
    return this.#tickOf.size;
  }

  /** Wakes `sleeper` at `dueMs` or up to one tick later; replaces an earlier call for the same sleeper. */
  sleep(sleeper: Sleeper, dueMs: number): void {
    this.cancel(sleeper);
    this.#start();
    // Never use a bucket that was emptied already: nothing would wake it again.
    const tick = Math.max(Math.ceil(dueMs / TICK_MS), this.#lastTick + 1);
    const bucket = this.#buckets.get(tick);
    if (bucket) bucket.add(sleeper);
    else this.#buckets.set(tick, new Set([sleeper]));
    this.#tickOf.set(sleeper, tick);
  }

  cancel(sleeper: Sleeper): void {
    const tick = this.#tickOf.get(sleeper);
    if (tick === undefined) return;
    this.#tickOf.delete(sleeper);
    const bucket = this.#buckets.get(tick);
    bucket?.delete(sleeper);
    if (bucket?.size === 0) this.#buckets.delete(tick);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#buckets.clear();
    this.#tickOf.clear();
  }

  #start(): void {
    if (this.#timer) return;
    this.#lastTick = Math.floor(this.#now() / TICK_MS);
    this.#timer = setInterval(() => this.#wakeDue(), TICK_MS);
  }

  #wakeDue(): void {
    const nowMs = this.#now();
    const tick = Math.floor(nowMs / TICK_MS);
    while (this.#lastTick < tick) {
      this.#lastTick++;
      const bucket = this.#buckets.get(this.#lastTick);
      if (!bucket) continue;
      // A woken sleeper may cancel or stop others of this bucket: wake only those that are still registered.
      for (const sleeper of bucket) if (this.#tickOf.delete(sleeper)) sleeper.wake(nowMs);
      this.#buckets.delete(this.#lastTick);
    }
    if (this.#tickOf.size === 0) this.stop();
  }
}
