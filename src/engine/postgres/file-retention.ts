/**
 * Removes files that no run has used for a while. Before it removes the first one, it learns which files the runs use
 * that were stored before the table of uses was there. Called by `retention.ts`.
 */
import { FILES_A_STEP, LEARNED_A_STEP, NAMES_FILE } from "../rules/file-uses.ts";
import type { Database, Queryable } from "./database.ts";
import { removeIfIdle } from "./files.ts";

const IDLE = "SELECT id FROM files WHERE idle_since < $1 ORDER BY idle_since LIMIT $2::integer";
const KNOWN = "SELECT from_run FROM file_uses_known";
/** Where a step begins that ends before this run. */
const START =
  "SELECT CASE WHEN count(*) < $2::integer THEN 0 ELSE min(n) END AS start " +
  "FROM (SELECT n FROM runs WHERE n < $1 ORDER BY n DESC LIMIT $2::integer) r";
const LEARN =
  "INSERT INTO file_uses SELECT named[1], s.run_n FROM (" +
  "SELECT run_n, content AS stored FROM messages WHERE run_n >= $1 AND run_n < $2 UNION ALL " +
  "SELECT run_n, result FROM tool_calls WHERE run_n >= $1 AND run_n < $2) s, " +
  `regexp_matches(s.stored, '${NAMES_FILE}([^"]+)"', 'g') AS named ` +
  `WHERE strpos(s.stored, '${NAMES_FILE}') > 0 ON CONFLICT DO NOTHING`;
const SET_KNOWN = "UPDATE file_uses_known SET from_run = $1";

export class FileRetainer {
  readonly #database: Database;
  #isAllKnown = false;

  constructor(database: Database) {
    this.#database = database;
  }

  /** One step. @param endsAt by `performance.now()`. @returns whether more could be done at once */
  async step(before: number, endsAt: number): Promise<boolean> {
    if (await this.#learnSome()) return true;
    const idle = await this.#database.query<{ id: string }>(IDLE, [before, FILES_A_STEP]);
    for (const { id } of idle) {
      await removeIfIdle(this.#database, id, before);
      if (performance.now() >= endsAt) return true;
    }
    return idle.length === FILES_A_STEP;
  }

  /** @returns false when all uses are known */
  async #learnSome(): Promise<boolean> {
    if (this.#isAllKnown) return false;
    const left = await this.#database.transaction(async (db) => {
      const from = await learn(db);
      return { statements: [], result: () => from };
    });
    this.#isAllKnown = left === 0;
    return !this.#isAllKnown;
  }
}

/** @returns the run from which on uses are known; 0 when all are */
async function learn(db: Queryable): Promise<number> {
  // Machines that learn at the same time take turns.
  const [known] = await db.query<{ from_run: number }>(`${KNOWN} FOR UPDATE`);
  const end = known?.from_run ?? 0;
  if (end === 0) return 0;
  const [first] = await db.query<{ start: number }>(START, [end, LEARNED_A_STEP]);
  const start = first?.start ?? 0;
  await db.query(LEARN, [start, end]);
  await db.query(SET_KNOWN, [start]);
  return start;
}
