/**
 * Removes what is old enough: joins deltas, removes threads, files and activities, forgets idempotency keys, and gives
 * free pages back. Each step looks first, on the reading connection, and then writes one short transaction, so that nobody
 * waits for it and an idle server writes nothing. Called by `maintenance.ts`.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Retention } from "../../core/retention.ts";
import { IS_PASSING_KEY } from "../rules/enqueue.ts";
import { ACTIVITIES_A_STEP, isKept, OldThreads, retainAll, RUNS_A_STEP } from "../rules/retention.ts";
import { DELTA_TYPES, joinDeltas, type StoredRow } from "../rules/joined.ts";
import { FileRetainer, type FileRetentionParts } from "./file-retention.ts";
import { removeUnlessBusy, type RemovalParts } from "./removal.ts";
import { LIMIT } from "./sql.ts";

/** Deltas of one transaction. [Each takes 5 to 10 ms.] */
const DELTAS_A_STEP = 1_000;
const KEYS_A_STEP = 200;
const PAGES_A_STEP = 200;
/** These pages stay in the file for coming writes: 4 MB. */
const FREE_PAGES_KEPT = 1_000;

interface ThreadRow {
  readonly n: number;
  readonly id: string;
  readonly updated_at: number;
  readonly kept: 0 | 1;
}

export type RetainerParts = RemovalParts & FileRetentionParts;

interface Delta {
  readonly run: number;
  readonly seq: number;
}

export class Retainer {
  readonly #looks: ReturnType<typeof looks>;
  readonly #sql: ReturnType<typeof writes>;
  readonly #db: DatabaseSync;
  readonly #parts: RetainerParts;
  readonly #files: FileRetainer;
  readonly #threads: OldThreads<ThreadRow>;
  /** The delta that was looked at last: its run is joined up to this seq. */
  #lastDelta: Delta = { run: 0, seq: 0 };

  constructor(parts: RetainerParts) {
    const { reading, writing } = parts.connections;
    this.#looks = looks(reading);
    this.#sql = writes(writing);
    this.#db = writing;
    this.#parts = parts;
    this.#files = new FileRetainer(parts);
    this.#threads = new OldThreads({
      look: async (last, before, limit) =>
        this.#looks.threads.all(last?.updated_at ?? 0, last?.n ?? 0, before, limit) as unknown as ThreadRow[],
      remove: (threadId) => removeUnlessBusy(parts, threadId),
    });
  }

  /** @returns whether more work is left that could be done at once */
  run(retention: Retention, now: number): Promise<boolean> {
    return retainAll(retention, now, {
      removeThreads: (before, endsAt) => this.#threads.step(before, endsAt),
      removeFiles: (before) => this.#files.step(before),
      removeActivities: (before) => this.#removeActivities(before),
      forgetKeys: (before) => this.#forgetKeys(before),
      joinDeltas: (before) => this.#joinDeltas(before),
      giveBack: () => this.#giveBack(),
    });
  }

  async #removeActivities(before: number): Promise<boolean> {
    const rows = this.#looks.activities.all(ACTIVITIES_A_STEP) as { seq: number; at: number }[];
    const end = rows.findIndex(({ at }) => at >= before);
    const last = (end < 0 ? rows : rows.slice(0, end)).at(-1);
    if (!last) return false;
    await this.#parts.writer.run(() => this.#sql.removeActivities.run(last.seq));
    return end < 0 && rows.length === ACTIVITIES_A_STEP;
  }

  async #forgetKeys(before: number): Promise<boolean> {
    const runs = this.#looks.keyed.all(before, KEYS_A_STEP) as { n: number }[];
    if (runs.length > 0) await this.#parts.writer.run(() => runs.map(({ n }) => this.#sql.forgetKey.run(n)));
    return runs.length === KEYS_A_STEP;
  }

  /** Joins the deltas of many short runs, or a piece of a long run. */
  async #joinDeltas(before: number): Promise<boolean> {
    const runs = this.#looks.unjoined.all(before, RUNS_A_STEP) as { n: number }[];
    if (runs.length === 0) return false;
    // Kept when it is committed: a write that is rolled back runs again from where it began.
    this.#lastDelta = await this.#parts.writer.run(() => this.#joinRuns(runs, this.#lastDelta));
    return true;
  }

  /** Goes on behind the delta that was looked at last. @returns the one that it looked at last */
  #joinRuns(runs: readonly { readonly n: number }[], begin: Delta): Delta {
    let last = begin;
    let left = DELTAS_A_STEP;
    for (const { n: run } of runs) {
      const behind = last.run === run ? last.seq : 0;
      const rows = this.#sql.deltas.all(run, behind, left) as unknown as StoredRow[];
      this.#writeJoined(run, rows);
      last = { run, seq: rows.at(-1)?.seq ?? behind };
      left -= rows.length;
      // This run may have more deltas.
      if (left <= 0) break;
      this.#sql.markJoined.run(run);
    }
    return last;
  }

  #writeJoined(run: number, rows: readonly StoredRow[]): void {
    for (const { seq, data, joined, first = seq } of joinDeltas(rows)) {
      this.#sql.removeDeltas.run(run, first, seq);
      this.#sql.writeJoined.run(data, joined, run, seq);
    }
  }

  async #giveBack(): Promise<boolean> {
    const { freelist_count: free } = this.#looks.free.get() as { freelist_count: number };
    const { auto_vacuum: mode } = this.#looks.mode.get() as { auto_vacuum: number };
    // A file that was made before evenkeel 0.2 has no map of its pages, so it cannot give pages back.
    if (mode === 0 || free <= FREE_PAGES_KEPT) return false;
    const pages = Math.min(PAGES_A_STEP, free - FREE_PAGES_KEPT);
    await this.#parts.writer.run(() => this.#db.exec(`PRAGMA incremental_vacuum(${pages})`));
    return free - pages > FREE_PAGES_KEPT;
  }
}

function looks(db: DatabaseSync) {
  return {
    threads: db.prepare(
      `SELECT n, id, updated_at, ${isKept("threads.id")} AS kept FROM threads ` +
        `WHERE (updated_at, n) > (?, ?) AND updated_at < ? ORDER BY updated_at, n ${LIMIT}`,
    ),
    // The newest activity stays: its seq is the position of the feed.
    activities: db.prepare(
      `SELECT seq, at FROM activities WHERE seq < (SELECT max(seq) FROM activities) ORDER BY seq ${LIMIT}`,
    ),
    keyed: db.prepare(
      `SELECT n FROM runs INDEXED BY runs_keyed WHERE ${IS_PASSING_KEY} AND finished_at IS NOT NULL AND finished_at < ? ${LIMIT}`,
    ),
    unjoined: db.prepare(
      `SELECT n FROM runs INDEXED BY runs_unjoined WHERE joined = 0 AND finished_at IS NOT NULL AND finished_at < ? ORDER BY finished_at ${LIMIT}`,
    ),
    free: db.prepare("PRAGMA freelist_count"),
    mode: db.prepare("PRAGMA auto_vacuum"),
  } satisfies Record<string, StatementSync>;
}

function writes(db: DatabaseSync) {
  const types = DELTA_TYPES.map((type) => `'${type}'`).join(", ");
  return {
    removeActivities: db.prepare("DELETE FROM activities WHERE seq <= ?"),
    forgetKey: db.prepare("UPDATE runs SET idempotency_key = NULL WHERE n = ?"),
    // The + keeps the planner on the run's own rows.
    deltas: db.prepare(
      `SELECT seq, type, data, joined FROM events WHERE run_n = ? AND seq > ? AND +type IN (${types}) AND joined IS NULL ORDER BY seq ${LIMIT}`,
    ),
    removeDeltas: db.prepare("DELETE FROM events WHERE run_n = ? AND seq >= ? AND seq < ?"),
    writeJoined: db.prepare("UPDATE events SET data = ?, joined = ? WHERE run_n = ? AND seq = ?"),
    markJoined: db.prepare("UPDATE runs SET joined = 1 WHERE n = ?"),
  } satisfies Record<string, StatementSync>;
}
