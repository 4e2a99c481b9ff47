/**
 * Group commit: every write of this process goes through one queue, and all that wait are committed in one transaction.
 * SQLite has one writer at a time, over all processes. A process that finds the lock taken waits outside of SQLite, so
 * that no event loop ever blocks on a lock.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { AppError } from "../../core/errors.ts";
import { busyRetryMs, isBusy, isCorrupt, isFull, storageError } from "./connection.ts";
import type { Disk } from "./disk.ts";

/**
 * The statements of one caller. A write checks first and writes last: an AppError must leave nothing written. It runs again
 * when its transaction is rolled back, so an effect outside of the database must bear a repetition.
 */
type Write = () => unknown;

interface Waiting {
  readonly write: Write;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

// A commit costs about 20 inserts, so under load commits are spaced to gather more. After a pause a few commits follow
// each other at once, so that the first steps of a new run are not delayed.
const SPACING_MS = 4;
const BURST = 3;
// When a lock stays taken this long, another process hangs inside a transaction.
const GIVE_UP_MS = 10_000;
/** Bound of the queue. When it is full, writers are refused with OVERLOADED. */
const MAX_WAITING = 50_000;

export class Writer {
  readonly #db: DatabaseSync;
  readonly #disk: Pick<Disk, "assertSame" | "giveUpReserve">;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | NodeJS.Immediate | undefined;
  /**
   * Earliest time of the next commit. It is behind the clock by at most a burst; that difference is the burst
   * allowance.
   */
  #nextCommitAt = 0;
  #busySince: number | undefined;
  #corruption: unknown;

  #committedAt = -Infinity;

  constructor(db: DatabaseSync, disk: Pick<Disk, "assertSame" | "giveUpReserve">) {
    this.#db = db;
    this.#disk = disk;
    this.#begin = db.prepare("BEGIN IMMEDIATE");
    this.#commit = db.prepare("COMMIT");
  }

  /** Resolves with what `write` returned once its transaction is committed. */
  run<T>(write: () => T): Promise<T> {
    if (this.#waiting.length >= MAX_WAITING) {
      return Promise.reject(
        new AppError("OVERLOADED", "Too many writes wait for the disk; try again in a second.", { retryAfterS: 1 }),
      );
    }
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#waiting.push({ write, resolve: resolve as (value: unknown) => void, reject });
    this.#schedule();
    return promise;
  }

  /** How long ago this process wrote something, in milliseconds. */
  get sinceCommitMs(): number {
    return performance.now() - this.#committedAt;
  }

  /**
   * @throws AppError when a write found that the file is corrupt. Writes to whole parts of it succeed all the same, so a
   * probe alone would not tell.
   */
  assertWhole(): void {
    if (this.#corruption) throw this.#corruption;
  }

  /** Commits the writes that wait, and goes on accepting writes: the caller closes the database handle. */
  async drain(): Promise<void> {
    while (this.#waiting.length > 0) await this.run(() => undefined);
  }

  #schedule(waitMs = this.#spacingMs()): void {
    if (this.#timer || this.#waiting.length === 0) return;
    const flush = () => {
      this.#timer = undefined;
      this.#flush();
    };
    this.#timer = waitMs > 0 ? setTimeout(flush, waitMs) : setImmediate(flush);
  }

  #spacingMs(): number {
    return this.#nextCommitAt - performance.now();
  }

  #flush(): void {
    const batch = this.#waiting;
    try {
      this.#disk.assertSame();
      this.#begin.run();
    } catch (error) {
      return this.#beginFailed(error);
    }
    this.#busySince = undefined;
    this.#waiting = [];
    this.#commitBatch(batch);
    this.#nextCommitAt = Math.max(this.#nextCommitAt, performance.now() - BURST * SPACING_MS) + SPACING_MS;
    this.#schedule();
  }

  #beginFailed(error: unknown): void {
    this.#busySince ??= performance.now();
    if (isBusy(error) && performance.now() - this.#busySince < GIVE_UP_MS) {
      return this.#schedule(busyRetryMs());
    }
    this.#busySince = undefined;
    if (isFull(error) && this.#disk.giveUpReserve()) return this.#schedule(busyRetryMs());
    const failed = this.#waiting;
    this.#waiting = [];
    this.#refuse(failed, error);
  }

  /**
   * Runs inside BEGIN. When a write breaks, the others are rolled back with it: the write is refused, and the
   * others are tried again.
   */
  #commitBatch(batch: readonly Waiting[]): void {
    const done: (() => void)[] = [];
    try {
      for (const { write, resolve, reject } of batch) done.push(outcomeOf(write, resolve, reject));
      this.#commit.run();
    } catch (error) {
      this.#rollback();
      if (isFull(error) && this.#disk.giveUpReserve()) {
        this.#waiting = [...batch, ...this.#waiting];
        return this.#schedule(busyRetryMs());
      }
      const broken = batch[done.length];
      // No write broke, but the COMMIT itself failed: every caller gets that error.
      this.#refuse(broken ? [broken] : batch, error);
      if (broken) this.#waiting = [...batch.filter((waiting) => waiting !== broken), ...this.#waiting];
      return;
    }
    this.#committedAt = performance.now();
    for (const tell of done) tell();
  }

  #refuse(waiting: readonly Waiting[], error: unknown): void {
    if (isCorrupt(error)) this.#corruption ??= storageError(error);
    for (const { reject } of waiting) reject(storageError(error));
  }

  #rollback(): void {
    // After some errors (a full disk) SQLite has already rolled back: then there is nothing to end.
    if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
  }
}

/** Runs the write, and returns how to answer its caller; no caller is answered before the commit. */
function outcomeOf(write: Write, resolve: (value: unknown) => void, reject: (error: unknown) => void): () => void {
  try {
    const value = write();
    return () => resolve(value);
  } catch (error) {
    // A refusal (LEASE_LOST, THREAD_BUSY …) is an answer: it wrote nothing and breaks nobody else's work.
    if (error instanceof AppError) return () => reject(error);
    throw error;
  }
}
