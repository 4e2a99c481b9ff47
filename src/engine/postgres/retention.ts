/**
 * Removes what is old enough: joins deltas, removes threads, files and activities, and forgets idempotency keys.
 * Transactions are short; the machines of one database take different rows. Called by `engine.ts`.
 */
import type { Retention } from "../../core/retention.ts";
import { IS_PASSING_KEY } from "../rules/enqueue.ts";
import { ACTIVITIES_A_STEP, isKept, OldThreads, retainAll, RUNS_A_STEP } from "../rules/retention.ts";
import { DELTA_TYPES, joinDeltas, type StoredRow } from "../rules/joined.ts";
import type { Queryable } from "./database.ts";
import { FileRetainer } from "./file-retention.ts";
import { removeUnlessBusy, type RemovalParts } from "./removal.ts";
import { columns } from "./step.ts";

/** Deltas of one transaction. */
const DELTAS_A_STEP = 2_000;
const KEYS_A_STEP = 500;

const OLD_THREADS =
  `SELECT t.id, t.updated_at, ${isKept("t.id")} AS kept FROM threads t ` +
  "WHERE (t.updated_at, t.id) > ($1::bigint, $2::text) AND t.updated_at < $3 ORDER BY t.updated_at, t.id LIMIT $4::integer";
// The newest activity stays: its seq is the position of the feed.
const REMOVE_ACTIVITIES =
  "DELETE FROM activities WHERE at < $1 AND seq IN (SELECT seq FROM activities WHERE seq < (SELECT max(seq) FROM activities) " +
  "ORDER BY seq LIMIT $2::integer FOR UPDATE SKIP LOCKED) RETURNING seq";
const FORGET_KEYS =
  `UPDATE runs SET idempotency_key = NULL WHERE n IN (SELECT n FROM runs WHERE ${IS_PASSING_KEY} ` +
  "AND finished_at < $1 LIMIT $2::integer FOR UPDATE SKIP LOCKED) RETURNING n";
const UNJOINED =
  "SELECT n, last_seq FROM runs WHERE joined = 0 AND finished_at < $1 ORDER BY finished_at LIMIT $2::integer FOR UPDATE SKIP LOCKED";
const DELTAS =
  "SELECT run_n, seq, type, data, joined FROM events WHERE run_n = ANY($1::bigint[]) AND seq > $2 " +
  `AND type IN (${DELTA_TYPES.map((type) => `'${type}'`).join(", ")}) AND joined IS NULL ORDER BY run_n, seq LIMIT $3::integer`;
const JOIN =
  "WITH j AS (SELECT * FROM unnest($1::bigint[], $2::integer[], $3::integer[], $4::text[], $5::text[]) AS j (run_n, first, seq, data, joined)), " +
  "removed AS (DELETE FROM events e USING j WHERE e.run_n = j.run_n AND e.seq >= j.first AND e.seq < j.seq) " +
  "UPDATE events e SET data = j.data, joined = j.joined FROM j WHERE e.run_n = j.run_n AND e.seq = j.seq";

interface ThreadRow {
  readonly id: string;
  readonly updated_at: number;
  readonly kept: boolean;
}

interface UnjoinedRun {
  readonly n: number;
  readonly last_seq: number;
}

type DeltaRow = StoredRow & { readonly run_n: number };

export class Retainer {
  readonly #parts: RemovalParts;
  readonly #files: FileRetainer;
  readonly #threads: OldThreads<ThreadRow>;
  /** The delta that was looked at last: its run is joined up to this seq. */
  #lastDelta = { run: 0, seq: 0 };

  constructor(parts: RemovalParts) {
    this.#parts = parts;
    this.#files = new FileRetainer(parts.database);
    this.#threads = new OldThreads({
      look: (last, before, limit) =>
        parts.database.query<ThreadRow>(OLD_THREADS, [last?.updated_at ?? 0, last?.id ?? "", before, limit]),
      remove: (threadId) => removeUnlessBusy(parts, threadId),
    });
  }

  /** @returns whether more work is left that could be done at once */
  run(retention: Retention, now: number): Promise<boolean> {
    return retainAll(retention, now, {
      removeThreads: (before, endsAt) => this.#threads.step(before, endsAt),
      removeFiles: (before, endsAt) => this.#files.step(before, endsAt),
      removeActivities: (before) => this.#some(REMOVE_ACTIVITIES, before, ACTIVITIES_A_STEP),
      forgetKeys: (before) => this.#some(FORGET_KEYS, before, KEYS_A_STEP),
      joinDeltas: (before) => this.#joinSome(before),
    });
  }

  async #some(sql: string, before: number, limit: number): Promise<boolean> {
    const rows = await this.#parts.database.query(sql, [before, limit]);
    return rows.length === limit;
  }

  /** Joins the deltas of as many runs as one step takes, or a piece of a long run. @returns false when there is none */
  #joinSome(before: number): Promise<boolean> {
    return this.#parts.database.transaction(async (db) => {
      const runs = oneStep(await db.query<UnjoinedRun>(UNJOINED, [before, RUNS_A_STEP]));
      if (runs.length === 0) return { statements: [], result: () => false };
      const piece = runs.length === 1 ? await this.#joinPiece(db, runs) : await joinRuns(db, runs, 0);
      const mark = { text: "UPDATE runs SET joined = 1 WHERE n = ANY($1::bigint[])", values: [numbers(runs)] };
      const result = () => {
        // After the commit: when the transaction is rolled back, its deltas have to be joined again.
        this.#lastDelta = piece;
        return true;
      };
      return { statements: piece.isMore ? [] : [mark], result };
    });
  }

  /** Goes on behind the deltas that it joined last in this run. */
  #joinPiece(db: Queryable, runs: readonly UnjoinedRun[]): Promise<Piece> {
    const [first] = runs;
    return joinRuns(db, runs, this.#lastDelta.run === first?.n ? this.#lastDelta.seq : 0);
  }
}

interface Piece {
  readonly run: number;
  readonly seq: number;
  /** Whether the run may have more deltas. */
  readonly isMore: boolean;
}

/** @returns as many of the first runs as have events for one step; at least one run */
function oneStep(runs: readonly UnjoinedRun[]): UnjoinedRun[] {
  let left = DELTAS_A_STEP;
  const taken = runs.findIndex(({ last_seq: events }, index) => (left -= events) < 0 && index > 0);
  return taken === -1 ? [...runs] : runs.slice(0, taken);
}

/** @param behind join only deltas with a greater seq */
async function joinRuns(db: Queryable, runs: readonly UnjoinedRun[], behind: number): Promise<Piece> {
  const rows = await db.query<DeltaRow>(DELTAS, [numbers(runs), behind, DELTAS_A_STEP]);
  const byRun = [...Map.groupBy(rows, ({ run_n: run }) => run)];
  const joined = byRun.flatMap(([run, deltas]) => joinDeltas(deltas).map((row) => ({ ...row, run })));
  const values = columns(joined, [
    ({ run }) => run,
    ({ first }) => first,
    ({ seq }) => seq,
    ({ data }) => data,
    (row) => row.joined,
  ]);
  if (joined.length > 0) await db.query(JOIN, values);
  const last = rows.at(-1);
  const isMore = runs.length === 1 && rows.length === DELTAS_A_STEP;
  return { run: last?.run_n ?? 0, seq: last?.seq ?? 0, isMore };
}

function numbers(runs: readonly UnjoinedRun[]): number[] {
  return runs.map(({ n }) => n);
}
