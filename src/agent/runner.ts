/**
 * Claims runs and works on many at once (they wait for the model, not for the CPU), keeps their leases, and
 * passes cancel requests on. Owned by `main.ts`.
 */
import type { Claim, Engine, Follower } from "../engine/engine.ts";
import { Interrupted } from "./abort-reason.ts";
import { Parking } from "./parking.ts";
import { Trials } from "./tools/trials.ts";
import { work, type RunHandles, type WorkDeps } from "./work.ts";

const LEASE_MS = 15_000;
const EXTEND_MS = 5_000;
// A few at a time, so that a burst spreads over all agents instead of filling the first one that looks.
const CLAIM_BATCH = 8;

export interface RunnerOptions extends WorkDeps {
  /** Under which name it holds its leases. */
  readonly owner: string;
  readonly concurrency: number;
}

interface Job extends RunHandles {
  readonly done: Promise<void>;
}

export class Runner {
  readonly #options: RunnerOptions;
  readonly #engine: Engine;
  readonly #owner: string;
  // No more are claimed while `concurrency` are not parked. A parked one that wakes goes on at once, beyond that bound
  // if need be: it waited for a run that was claimed before any other, so there are not many more than `concurrency`
  // times the depth of delegation.
  readonly #jobs = new Map<string, Job>();
  readonly #trials = new Trials();
  #follower: Follower | undefined;
  #extendTimer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #again = false;
  #draining = false;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#engine = options.engine;
    this.#owner = options.owner;
  }

  get inFlight(): number {
    return this.#jobs.size;
  }

  start(): void {
    this.#follower = this.#engine.onChange(
      () => this.#look(),
      () => this.#jobs.size === 0,
    );
    this.#extendTimer = setInterval(() => this.#keepLeases(), EXTEND_MS);
    this.#look();
  }

  /** Claims nothing more, lets runs finish for `ms`, then gives back what is left for another to go on with. */
  async drain(ms: number): Promise<void> {
    this.#draining = true;
    const deadline = setTimeout(() => this.#interruptAll("stopped"), ms);
    while (this.#jobs.size > 0) await Promise.all([...this.#jobs.values()].map(({ done }) => done));
    clearTimeout(deadline);
    clearInterval(this.#extendTimer);
    this.#follower?.stop();
    // A claim may have been under way: what it brought is given back too.
    await this.#looking;
    await this.#engine.release({ owner: this.#owner, end: "stopped" });
  }

  /** Looks for work and for cancel requests; a call that comes meanwhile makes it look once more. */
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
      // In the same breath as the last test of #again: a call in between would be lost.
      this.#looking = undefined;
    }
  }

  async #lookOnce(): Promise<void> {
    if (this.#jobs.size > 0) await this.#passOnCancels();
    const working = [...this.#jobs.values()].filter(({ parking }) => !parking.isParked).length;
    const free = this.#options.concurrency - working;
    if (this.#draining || free <= 0) return;
    const limit = Math.min(free, CLAIM_BATCH);
    const claims = await this.#engine.claim({ owner: this.#owner, limit, leaseMs: LEASE_MS });
    if (this.#draining) return;
    for (const claim of claims) this.#begin(claim);
    // A full batch: there may be more, and nobody will tell us again.
    if (claims.length === limit) this.#again = true;
  }

  #begin(claim: Claim): void {
    const runId = claim.run.run_id;
    // A slot is free: the run that it waits for may be the one that takes it.
    const handles: RunHandles = {
      abort: new AbortController(),
      parking: new Parking(() => this.#look()),
      trials: this.#trials,
    };
    // Our own lease ran out while the machine slept, and we were the first to look: the old job is not the owner.
    this.#jobs.get(runId)?.abort.abort(new Interrupted("lost"));
    const job: Job = {
      ...handles,
      done: work(claim, this.#options, handles).then(() => {
        if (this.#jobs.get(runId) === job) this.#jobs.delete(runId);
        this.#look();
      }),
    };
    this.#jobs.set(runId, job);
  }

  async #passOnCancels(): Promise<void> {
    for (const runId of await this.#engine.cancelRequests(this.#owner)) {
      this.#jobs.get(runId)?.abort.abort(new Interrupted("canceled"));
    }
  }

  #keepLeases(): void {
    // Only what is really worked on: a run that nobody settles any more must be free for another owner.
    const asked = [...this.#jobs.keys()];
    this.#engine.extend({ owner: this.#owner, runIds: asked, leaseMs: LEASE_MS }).then(
      (owned) => {
        for (const runId of asked) if (!owned.has(runId)) this.#jobs.get(runId)?.abort.abort(new Interrupted("lost"));
      },
      (error: unknown) => this.#options.log.error({ err: error }, "cannot extend leases"),
    );
    // Leases of a hung owner run out without anybody committing: that makes no wake-up of its own.
    this.#look();
  }

  #interruptAll(why: "stopped"): void {
    for (const { abort } of this.#jobs.values()) abort.abort(new Interrupted(why));
  }
}
