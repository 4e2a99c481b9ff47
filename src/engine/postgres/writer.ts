/**
 * Group commit of steps: the steps of all runs of this process go to the database in one statement, which is one round
 * trip and one commit. While one group is under way, the next one gathers. Called by `engine.ts`.
 *
 * This process owns the runs whose steps it writes, so it knows where their journals end. When a connection breaks,
 * nobody knows whether its last group was committed: the writer asks how many steps the runs have as soon as the
 * database answers again, and writes what is missing. Until then the owner hears of no trouble of the database: it would
 * append the same step once more.
 */
import { setTimeout as delay } from "node:timers/promises";
import { AppError } from "../../core/errors.ts";
import type { OwnedRun, Step } from "../engine.ts";
import { leaseLost } from "../rules/lease-lost.ts";
import type { Database } from "./database.ts";
import { isAway, type Recovery } from "./recovery.ts";
import { RUN } from "./sql.ts";
import { afterStep, prepareStep, stepsStatement, type HeldRow, type OwnedAnswer, type PreparedStep } from "./step.ts";
import type { News } from "./unit.ts";

interface Waiting {
  readonly step: Step;
  /** The step as it was sent before the connection broke. */
  doubt?: PreparedStep;
  readonly resolve: (owned: OwnedRun) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Under load, groups are spaced to gather more steps; after a pause a few groups go at once, as in the SQLite driver.
 */
const SPACING_MS = 4;
const BURST = 3;
/** Bound of the queue. When it is full, writers are refused with OVERLOADED. */
const MAX_WAITING = 50_000;
/** The most steps of one statement. */
const MAX_GROUP = 1_000;
/** How many runs' journal ends are kept: those of the process's runs, and of a few that it had before. */
const MAX_HELD = 20_000;

export interface WriterOptions {
  readonly database: Database;
  readonly recovery: Recovery;
  /** Called after each commit. */
  readonly publish: (news: News) => void;
}

export class StepWriter {
  readonly #database: Database;
  readonly #recovery: Recovery;
  readonly #publish: (news: News) => void;
  readonly #held = new Map<string, HeldRow>();
  #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | NodeJS.Immediate | undefined;
  #nextAt = 0;
  #writing: Promise<void> | undefined;

  constructor({ database, recovery, publish }: WriterOptions) {
    this.#database = database;
    this.#recovery = recovery;
    this.#publish = publish;
  }

  /** Remembers runs that this process has just claimed, or to whose journals it has written. */
  hold(rows: readonly HeldRow[]): void {
    for (const row of rows) this.#held.set(row.id, row);
    for (const id of this.#held.keys()) {
      if (this.#held.size <= MAX_HELD) break;
      this.#held.delete(id);
    }
  }

  /** Reads the run anew before its next step. */
  forget(runId: string): void {
    this.#held.delete(runId);
  }

  /** @throws AppError LEASE_LOST, OVERLOADED, STORAGE_UNAVAILABLE */
  append(step: Step): Promise<OwnedRun> {
    if (this.#waiting.length >= MAX_WAITING) {
      return Promise.reject(
        new AppError("OVERLOADED", "Too many writes wait for the database; try again in a second.", { retryAfterS: 1 }),
      );
    }
    const { promise, resolve, reject } = Promise.withResolvers<OwnedRun>();
    this.#waiting.push({ step, resolve, reject });
    this.#schedule();
    return promise;
  }

  async drain(): Promise<void> {
    while (this.#waiting.length > 0 || this.#writing) {
      this.#schedule();
      await (this.#writing ?? delay(1));
    }
  }

  #schedule(): void {
    if (this.#timer || this.#writing || this.#waiting.length === 0) return;
    const waitMs = this.#nextAt - performance.now();
    const begin = () => {
      this.#timer = undefined;
      this.#writing = this.#writeGroup().finally(() => {
        this.#writing = undefined;
        this.#schedule();
      });
    };
    this.#timer = waitMs > 0 ? setTimeout(begin, waitMs) : setImmediate(begin);
  }

  async #writeGroup(): Promise<void> {
    this.#nextAt = Math.max(this.#nextAt, performance.now() - BURST * SPACING_MS) + SPACING_MS;
    const group = this.#takeGroup();
    try {
      await this.#write(group);
    } catch (error) {
      if (group.length > 1 && !isOurs(error)) await this.#writeEach(group);
      else for (const { reject } of group) reject(error);
    }
  }

  /**
   * The database refused the data of one step, and stored none of the group: write each step alone, so that the others
   * succeed.
   */
  async #writeEach(group: readonly Waiting[]): Promise<void> {
    for (const waiting of group) await this.#write([waiting]).catch(waiting.reject);
  }

  /** Takes one step of each run: the run's next step depends on it. */
  #takeGroup(): Waiting[] {
    const group = new Map<string, Waiting>();
    const later: Waiting[] = [];
    for (const waiting of this.#waiting) {
      if (group.size >= MAX_GROUP || group.has(waiting.step.runId)) later.push(waiting);
      else group.set(waiting.step.runId, waiting);
    }
    this.#waiting = later;
    return [...group.values()];
  }

  /** A run that is not as this process expected is read once more. */
  async #write(group: readonly Waiting[]): Promise<void> {
    let [left, tries] = [group, 0];
    while (left.length > 0) {
      await this.#readMissing(left);
      const { here, gone } = this.#sort(left);
      for (const { step, reject } of gone) this.#refuse(step, reject);
      const written = await this.#tryWrite(here);
      left = here.filter((prepared) => !written?.has(prepared)).map(({ waiting }) => waiting);
      for (const { step } of left) this.forget(step.runId);
      if (written) tries += 1;
      if (tries < 2) continue;
      for (const { step, reject } of left) this.#refuse(step, reject);
      return;
    }
  }

  #sort(group: readonly Waiting[]) {
    const here: Prepared[] = [];
    const gone: Waiting[] = [];
    for (const waiting of group) {
      const run = this.#held.get(waiting.step.runId);
      if (run?.status !== "running" || run.fence !== waiting.step.fence) gone.push(waiting);
      else if (isThere(run, waiting.doubt)) waiting.resolve({ cancelRequested: run.cancel_requested === 1 });
      else this.#prepare(run, waiting, here);
    }
    return { here, gone };
  }

  /** Refuses alone a step that cannot be turned into rows. */
  #prepare(run: HeldRow, waiting: Waiting, here: Prepared[]): void {
    try {
      here.push({ waiting, prepared: prepareStep(run, waiting.step) });
    } catch (error) {
      waiting.reject(error);
    }
  }

  async #readMissing(group: readonly Waiting[]): Promise<void> {
    const missing = group.map(({ step }) => step.runId).filter((id) => !this.#held.has(id));
    if (missing.length === 0) return;
    const sql = `SELECT ${RUN} FROM runs WHERE id = ANY($1::text[])`;
    const read = () => this.#database.query<HeldRow>(sql, [missing]);
    this.hold(await this.#recovery.outlast(read, isInDoubt(group)));
  }

  /** @returns the steps that were written; undefined when the connection broke, and nobody knows */
  async #tryWrite(group: readonly Prepared[]): Promise<ReadonlySet<Prepared> | undefined> {
    if (group.length === 0) return new Set();
    const { text, values } = stepsStatement(group.map(({ prepared }) => prepared));
    const write = () => this.#database.query<OwnedAnswer>(text, values);
    // A step in doubt may be sent again as it is: it writes nothing if it, or its first try, was committed meanwhile.
    const inDoubt = isInDoubt(group.map(({ waiting }) => waiting));
    const answers = await (inDoubt ? this.#recovery.outlast(write, true) : write()).catch((error: unknown) => {
      if (!isAway(error)) throw error;
      for (const { waiting, prepared } of group) waiting.doubt ??= prepared;
    });
    if (!answers) return undefined;
    const byRun = new Map(answers.map((answer) => [answer.n, answer]));
    const written = new Set<Prepared>();
    for (const one of group) {
      const answer = byRun.get(one.prepared.run.n);
      if (!answer) continue;
      written.add(one);
      this.#held.set(one.prepared.run.id, afterStep(one.prepared));
      one.waiting.resolve({ cancelRequested: answer.cancel_requested === 1 });
    }
    this.#tell([...written].map(({ prepared }) => prepared));
    return written;
  }

  #tell(steps: readonly PreparedStep[]): void {
    const events = steps
      .filter((step) => step.events.length > 0)
      .map((step) => ({ n: step.run.n, events: step.events }));
    const hasActivities = steps.some(({ activities }) => activities.length > 0);
    if (events.length === 0 && !hasActivities) return;
    this.#publish({ events, hasActivities, hasWork: false, owners: [], deleted: [] });
  }

  #refuse(step: Step, reject: Waiting["reject"]): void {
    this.forget(step.runId);
    reject(leaseLost(step));
  }
}

/**
 * Whether the step was committed after all: while the run is under way with this fence, nobody else writes its steps.
 */
function isThere(run: HeldRow, doubt: PreparedStep | undefined): boolean {
  return doubt !== undefined && run.writes > doubt.run.writes;
}

/** Whether nobody knows if steps of the group were committed. */
function isInDoubt(group: readonly Waiting[]): boolean {
  return group.some(({ doubt }) => doubt !== undefined);
}

/** Whether the error concerns the whole group: the database is away, or full. */
function isOurs(error: unknown): boolean {
  return error instanceof AppError;
}

interface Prepared {
  readonly waiting: Waiting;
  readonly prepared: PreparedStep;
}
