/**
 * Claims runs and works on many at once (they wait for the model, not for the CPU), keeps their leases, and
 * passes cancel requests on. Owned by `main.ts`.
 */
import type { Owner } from "../core/run.ts";
import type { Claim, Engine, Follower, OwnedRun } from "../engine/engine.ts";
import { Interrupted, type Interruption } from "./abort-reason.ts";
import { Caching } from "./caching.ts";
import { Parking } from "./parking.ts";
import { Trials } from "./tools/trials.ts";
import type { RunHandles, WorkDeps } from "./work-deps.ts";
import { work } from "./work.ts";

const LEASE_MS = 15_000;
const EXTEND_MS = 5_000;
/** Leases that were not extended for this long may have run out: extend them before looking for work. */
const OVERDUE_MS = 2 * EXTEND_MS;
/** With those that pause: each keeps its thread in memory, and one crash would stop them all. */
const RUNS_PER_SLOT = 10;
// A few at a time, so that a burst spreads over all agents instead of filling the first one that looks.
const CLAIM_BATCH = 8;

export interface RunnerOptions extends WorkDeps {
  /** The name under which the runner holds its leases. */
  readonly owner: Owner;
  readonly concurrency: number;
}

/** A run that this process works on. */
interface HeldRun extends RunHandles {
  readonly done: Promise<void>;
}

export class Runner {
  readonly #options: RunnerOptions;
  readonly #engine: Engine;
  readonly #owner: Owner;
  // `claim` is called only while fewer than `concurrency` runs are unparked. A run that resumes after it has waited for
  // delegated runs may exceed that; the excess is bounded by the depth of delegation, because delegated runs are claimed first.
  readonly #held = new Map<string, HeldRun>();
  readonly #trials = new Trials();
  readonly #caching = new Caching();
  #follower: Follower | undefined;
  #extendTimer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #extendedAt = performance.now();
  #again = false;
  #draining = false;
  #deadline: NodeJS.Timeout | undefined;
  #drained: Promise<void> | undefined;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#engine = options.engine;
    this.#owner = options.owner;
  }

  get inFlight(): number {
    return this.#held.size;
  }

  /** How many of the runs in flight lists show as parked. */
  get parked(): number {
    return [...this.#held.values()].filter(({ parking }) => parking.isShown).length;
  }

  /** @throws AppError STORAGE_UNAVAILABLE */
  async start(): Promise<void> {
    this.#follower = await this.#engine.watch(this.#owner, {
      onWork: () => this.#look(),
      onCancel: (runIds) => this.#interrupt(runIds, "canceled"),
      isEager: () => this.#held.size === 0,
    });
    this.#extendTimer = setInterval(() => {
      void this.#keepLeases();
      // Also repeats a look that failed because of the storage.
      this.#look();
    }, EXTEND_MS);
  }

  /**
   * Claims nothing more, lets runs finish for `ms`, then hands back the rest, for other agents to continue. A later
   * call sets a new time from then on.
   */
  drain(ms: number): Promise<void> {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#interrupt(this.#held.keys(), "stopped"), ms);
    this.#drained ??= this.#finishRuns();
    return this.#drained;
  }

  async #finishRuns(): Promise<void> {
    this.#draining = true;
    while (this.#held.size > 0) await Promise.all([...this.#held.values()].map(({ done }) => done));
    clearTimeout(this.#deadline);
    clearInterval(this.#extendTimer);
    this.#follower?.stop();
    // A claim may be under way; `#giveBack` hands back the runs that it brings.
    await this.#looking;
    await this.#engine.release({ owner: this.#owner }, "stopped");
  }

  get #busy(): number {
    return [...this.#held.values()].filter(({ parking }) => !parking.isParked).length;
  }

  /** A slot may be free: runs whose pause is over have it before new ones. */
  #fillSlots(): void {
    let free = this.#options.concurrency - this.#busy;
    for (const { parking } of this.#held.values()) {
      if (free <= 0) break;
      if (!parking.wantsSlot) continue;
      parking.giveSlot();
      free -= 1;
    }
    this.#look();
  }

  /** Looks for work. A call during a look makes it look once more. */
  #look(): void {
    this.#again = true;
    this.#looking ??= this.#lookUntilQuiet().catch((error: unknown) =>
      this.#options.log.error({ err: error }, "cannot look for work"),
    );
  }

  async #lookUntilQuiet(): Promise<void> {
    try {
      while (this.#again) {
        this.#again = false;
        await this.#lookOnce();
      }
    } finally {
      // Clear `#looking` in the same tick as the last test of `#again`; a `#look()` between the two would be lost.
      this.#looking = undefined;
    }
  }

  async #lookOnce(): Promise<void> {
    const { concurrency } = this.#options;
    const here = [...this.#held.values()].filter(({ parking }) => parking.isPaused || !parking.isParked).length;
    const free = Math.min(concurrency - this.#busy, concurrency * RUNS_PER_SLOT - here);
    if (this.#draining || free <= 0) return;
    // Right after this process stood still, its own runs may look abandoned, even to itself.
    if (performance.now() - this.#extendedAt > OVERDUE_MS && !(await this.#keepLeases())) return;
    const limit = Math.min(free, CLAIM_BATCH);
    const claims = await this.#engine.claim({ owner: this.#owner, limit, leaseMs: LEASE_MS });
    if (this.#draining) {
      await this.#giveBack(claims);
      return;
    }
    for (const claim of claims) this.#begin(claim);
    // A full batch: there may be more runs, and no further signal will come for them.
    if (claims.length === limit) this.#again = true;
  }

  /**
   * Hands back claims that were under way when the drain began: other agents can serve them, so nobody waits for this
   * one.
   */
  async #giveBack(claims: readonly Claim[]): Promise<void> {
    if (claims.length === 0) return;
    await this.#engine.release({ owner: this.#owner, runIds: claims.map(({ run }) => run.run_id) }, "stopped");
  }

  #begin(claim: Claim): void {
    const runId = claim.run.run_id;
    // When this run parks it frees a slot. Look for work at once: the child that it waits for may be next in the queue.
    const handles: RunHandles = {
      abort: new AbortController(),
      parking: new Parking(() => this.#fillSlots()),
      trials: this.#trials,
      caching: this.#caching,
    };
    // Our lease on this run ran out and we have just claimed it again. Abort the old work: its fence is stale.
    this.#interrupt([runId], "lost");
    const held: HeldRun = {
      ...handles,
      done: work(claim, this.#options, handles).then(() => {
        if (this.#held.get(runId) === held) this.#held.delete(runId);
        this.#fillSlots();
      }),
    };
    this.#held.set(runId, held);
  }

  /** @returns false when the extension failed; it is tried again at the next interval */
  async #keepLeases(): Promise<boolean> {
    // Extend only runs that are really worked on: a run that nobody will settle must become free for another owner.
    const asked = [...this.#held.keys()];
    try {
      const request = { owner: this.#owner, runIds: asked, leaseMs: LEASE_MS };
      const owned = asked.length > 0 ? await this.#engine.extend(request) : new Map<string, OwnedRun>();
      this.#extendedAt = performance.now();
      this.#interrupt(
        asked.filter((runId) => !owned.has(runId)),
        "lost",
      );
      this.#interrupt(
        asked.filter((runId) => owned.get(runId)?.cancelRequested),
        "canceled",
      );
      return true;
    } catch (error) {
      this.#options.log.error({ err: error }, "cannot extend leases");
      return false;
    }
  }

  #interrupt(runIds: Iterable<string>, why: Interruption): void {
    for (const runId of runIds) this.#held.get(runId)?.abort.abort(new Interrupted(why));
  }
}
