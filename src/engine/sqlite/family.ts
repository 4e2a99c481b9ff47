/**
 * Which run delegated which: the place of one more delegated run, and all runs under way below a run. Called by
 * `queue.ts` inside of its transactions; it only reads.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { MAX_DELEGATED_RUNS, MAX_DELEGATION_DEPTH } from "../../core/run.ts";
import type { Place } from "../rules/enqueue.ts";
import type { RunRow } from "../rules/rows.ts";

export class Family {
  readonly #sql: ReturnType<typeof statements>;

  constructor(db: DatabaseSync) {
    this.#sql = statements(db);
  }

  /** The place that a run delegated by this one would have; depth and count go a little beyond their limits. */
  placeBelow(parentId: string): Place {
    return this.#sql.sizeOf.get({
      parent: parentId,
      depth: MAX_DELEGATION_DEPTH,
      runs: MAX_DELEGATED_RUNS + 1,
    }) as unknown as Place;
  }

  /** The run and all runs below it that are not over, the oldest first. */
  underWay(runId: string): RunRow[] {
    return this.#sql.underWay.all(runId) as unknown as RunRow[];
  }
}

function statements(db: DatabaseSync) {
  return {
    // How deep a run below this one is, and how many there are below the topmost one, both counted a little beyond
    // their limits. Counted by ids, not rows: an ancestor whose thread was deleted still counts.
    sizeOf: db.prepare(
      "WITH RECURSIVE above (id, depth) AS (SELECT :parent, 1 UNION ALL " +
        "SELECT r.parent_id, depth + 1 FROM above JOIN runs r ON r.id = above.id WHERE r.parent_id IS NOT NULL AND depth <= :depth), " +
        "family (id) AS (SELECT * FROM (SELECT id FROM above ORDER BY depth DESC LIMIT 1) UNION " +
        "SELECT r.id FROM family CROSS JOIN runs r ON r.parent_id = family.id LIMIT :runs) " +
        "SELECT (SELECT max(depth) FROM above) AS depth, (SELECT count(*) FROM family) AS runs",
    ),
    // CROSS JOIN keeps SQLite from scanning by status instead. UNION drops ids that were seen: ids of deleted runs can
    // be used again, and could form a circle.
    underWay: db.prepare(
      "WITH RECURSIVE family (id) AS (SELECT ? UNION " +
        "SELECT r.id FROM family CROSS JOIN runs r ON r.parent_id = family.id) " +
        "SELECT r.* FROM family CROSS JOIN runs r ON r.id = family.id " +
        "WHERE r.status IN ('queued', 'running') ORDER BY r.n",
    ),
  } satisfies Record<string, StatementSync>;
}
