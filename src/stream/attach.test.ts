/**
 * D5: a viewer that attaches while a run is being appended, at any moment and from any position, sees every
 * later seq once. Real SQLite; another connection appends, as an agent's would.
 */
import { expect, test } from "vitest";
import { claimNext, complete, delta, enqueue, stepOf } from "../engine/contract/setup.ts";
import type { Run } from "../core/run.ts";
import type { Claim, Engine } from "../engine/engine.ts";
import { openTemporary } from "../engine/sqlite/test-data.ts";
import { seeded } from "../testing/random.ts";
import { Delivery } from "./delivery.ts";
import type { Frame } from "./frame.ts";
import type { Sink } from "./viewer.ts";

const TRIALS = 10_000;
// A run has few viewers at a time, so its feed ends with the last one and is created again with the next,
// many times.
const RUNS = 16;
const AT_ONCE = 32;
// A viewer stays for one to LIVE_EVENTS more events, which reach it through the live feed, or until the run's end.
const LIVE_EVENTS = 6;
// After this many appends the run ends and another begins, so some viewers attach just before or just after the last
// event.
const BURSTS_PER_RUN = 20;
// More events than a page of the journal, so that some viewers are further behind than one read can bring
// them.
const FIRST_BURST = 200;

interface Trial {
  readonly after: number;
  readonly sink: RecordingSink;
  /** The number of all events of the run, if the viewer watched it to its end. */
  readonly total: number | undefined;
}

test(`${TRIALS} viewers that come while ${RUNS} runs are appended see every seq once`, async () => {
  await using data = await openTemporary();
  await using appender = await Appender.start(await data.another());
  const delivery = new Delivery(data.engine, { slowClientMs: 10_000, basePath: "" });
  const random = seeded(5);
  const trials: Trial[] = [];
  const watchOne = async () => {
    const { run, newest } = appender.pick(random);
    // Most positions are a little behind, some by more than the feed keeps in memory, some by more than one
    // page of the journal.
    const after = Math.max(0, newest - random([3, 12, 200][random(3)] ?? 0));
    const sink = new RecordingSink({ until: newest + 1 + random(LIVE_EVENTS), slow: random(3) === 0 });
    const viewer = delivery.watch({ feed: delivery.feeds.run(run), after, sink, onEnd: sink.onEnd });
    const ended = await sink.done;
    viewer.stop();
    trials.push({ after, sink, total: ended ? await data.engine.lastEvent(run.run_id) : undefined });
  };
  const lane = async () => {
    while (trials.length < TRIALS) await watchOne();
  };

  await Promise.all(Array.from({ length: AT_ONCE }, lane));

  expect(trials.flatMap(problemsOf)).toEqual([]);
  expect(trials.length).toBeGreaterThanOrEqual(TRIALS);
  expect(trials.filter(({ total }) => total !== undefined).length).toBeGreaterThan(0);
  expect(delivery.meter.viewers.size).toBe(0);
  delivery.stop();
});

function problemsOf({ after, sink, total }: Trial): string[] {
  const { seqs, gaps } = sink;
  const hole = seqs.findIndex((seq, index) => seq !== after + index + 1);
  const problems: string[] = [];
  if (gaps > 0) problems.push(`${gaps} gaps after ${after}`);
  if (hole >= 0) problems.push(`after ${after}: ${seqs[hole]} follows ${seqs[hole - 1] ?? after}`);
  if (total !== undefined && (seqs.at(-1) ?? after) !== total) problems.push(`ended at ${seqs.at(-1)} of ${total}`);
  return problems;
}

/** Appends to all its runs, one to three events at a time, until it is disposed of. */
class Appender implements AsyncDisposable {
  readonly #engine: Engine;
  /** The newest seq of each run that is certainly committed. */
  readonly #newest: Map<Run, number>;
  readonly #loops: Promise<unknown>;
  #stopped = false;

  static async start(engine: Engine): Promise<Appender> {
    const claims: Claim[] = [];
    for (let count = 0; count < RUNS; count += 1) {
      await enqueue(engine);
      claims.push(await claimNext(engine));
    }
    return new Appender(engine, claims);
  }

  private constructor(engine: Engine, claims: readonly Claim[]) {
    this.#engine = engine;
    this.#newest = new Map(claims.map(({ run }) => [run, 1]));
    this.#loops = Promise.all(claims.map((claim) => this.#appendRuns(claim)));
  }

  pick(random: (below: number) => number): { readonly run: Run; readonly newest: number } {
    const picked = [...this.#newest][random(this.#newest.size)];
    if (!picked) throw new Error("There is no run to watch.");
    const [run, newest] = picked;
    return { run, newest };
  }

  /** One run after the other. A finished one can be picked until the next has begun. */
  async #appendRuns(first: Claim): Promise<void> {
    for (let claim = first; !this.#stopped;) {
      await this.#appendTo(claim);
      await complete(this.#engine, claim);
      await enqueue(this.#engine);
      const next = await claimNext(this.#engine);
      this.#newest.delete(claim.run);
      this.#newest.set(next.run, 1);
      claim = next;
    }
  }

  async #appendTo(claim: Claim): Promise<void> {
    let newest = await this.#engine.lastEvent(claim.run.run_id);
    for (let burst = 0; burst < BURSTS_PER_RUN && !this.#stopped; burst += 1) {
      this.#newest.set(claim.run, newest);
      const length = burst === 0 ? FIRST_BURST : (burst % 3) + 1;
      const events = Array.from({ length }, (_, index) => delta(`${burst}.${index}`));
      await this.#engine.append(stepOf(claim, { events }));
      newest += events.length;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#loops;
  }
}

/**
 * Records the frames until it has seen `until`. A slow sink is full after every write, for some turns of the
 * loop.
 */
class RecordingSink implements Sink {
  readonly seqs: number[] = [];
  gaps = 0;
  full = false;
  /** True when the run ended before `until`. */
  readonly done: Promise<boolean>;
  readonly onEnd: (error?: unknown) => void;
  readonly #until: number;
  readonly #slow: boolean;
  readonly #resolve: (ended: boolean) => void;

  constructor({ until, slow }: { until: number; slow: boolean }) {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    this.done = promise;
    this.#resolve = resolve;
    this.onEnd = (error) => (error ? reject(error) : resolve(true));
    this.#until = until;
    this.#slow = slow;
  }

  write(frames: readonly Frame[]): void {
    this.seqs.push(...frames.map(({ seq }) => seq));
    this.full = this.#slow;
    if ((this.seqs.at(-1) ?? 0) >= this.#until) this.#resolve(false);
  }

  gap(): void {
    this.gaps += 1;
  }

  onDrain(resume: () => void): void {
    let turns = 20;
    const turn = () => {
      turns -= 1;
      this.full = turns > 0;
      if (this.full) setImmediate(turn);
      else resume();
    };
    turn();
  }
}
