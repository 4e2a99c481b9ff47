/**
 * Removes threads: their runs at once, and the other rows of these runs in small batches. Nothing finds the events,
 * messages and tool calls of a run whose row is gone, so `maintain` sweeps them later. Called by `engine.ts`.
 */
import { doAll } from "../do-all.ts";
import { hasCode } from "../../core/errors.ts";
import { isOver } from "../../core/run.ts";
import {
  EPHEMERAL_AT_ONCE,
  EPHEMERAL_MS,
  endedEphemeral,
  threadBusy,
  toldOf,
  type Removal,
  type RemovedThread,
} from "../rules/removal.ts";
import type { RunRow } from "../rules/rows.ts";
import type { Database, Queryable } from "./database.ts";
import { inUnit, type News, type Unit } from "./unit.ts";

/** Rows of one table that one transaction deletes. */
const ROWS_A_BATCH = 1_000;

type FamilyRow = Pick<RunRow, "n" | "id" | "thread_id" | "status">;

/** Find the children before their parents are deleted: an id whose row is gone has no family any more. */
const FAMILY =
  "WITH RECURSIVE family (n, id, thread_id, status) AS (SELECT n, id, thread_id, status FROM runs WHERE thread_id = $1 " +
  "UNION SELECT r.n, r.id, r.thread_id, r.status FROM family f JOIN runs r ON r.parent_id = f.id) " +
  "SELECT * FROM family ORDER BY n DESC";
const LOCK_THREAD = "SELECT principal, last_run FROM threads WHERE id = $1 FOR UPDATE";
const NEWEST_ACTIVITY = "SELECT run_id FROM activities ORDER BY seq DESC LIMIT 1";
const LOCK_THREADS =
  "SELECT id FROM threads t WHERE id = ANY($1::text[]) " +
  "ORDER BY (SELECT min(n) FROM runs WHERE thread_id = t.id) FOR UPDATE";
/** Rows of files are locked in the order of their ids: see sql.ts. */
const END_USES =
  "WITH ended AS (DELETE FROM file_uses WHERE run_n = ANY($1::bigint[]) RETURNING file_id), " +
  "held AS (SELECT id FROM files WHERE id IN (SELECT file_id FROM ended) ORDER BY id FOR NO KEY UPDATE) " +
  "UPDATE files f SET idle_since = $2 FROM held WHERE f.id = held.id";

/**
 * Removes the thread, with its runs and all that these delegated.
 * @returns false when there is no such thread
 * @throws AppError THREAD_BUSY before anything is removed
 */
export async function removeThread(unit: Unit, removal: Removal): Promise<boolean> {
  const { db } = unit;
  const { threadId } = removal;
  // The lock keeps runs of this thread from beginning or ending meanwhile.
  const [thread] = await db.query<RemovedThread>(LOCK_THREAD, [threadId]);
  if (!thread) return false;
  const family = await db.query<FamilyRow>(FAMILY, [threadId]);
  // Delegated runs have threads of their own, in which a new run must not begin meanwhile either.
  await db.query(LOCK_THREADS, [threadIdsOf(family)]);
  const busy = family.find(({ status }) => !isOver(status));
  if (busy) throw threadBusy(threadId, busy.id);
  const [newest] = await db.query<{ run_id: string | null }>(NEWEST_ACTIVITY);
  const takesNewest = family.some(({ id }) => id === newest?.run_id);
  for (const activity of toldOf(removal, thread, takesNewest)) unit.addActivity(activity, thread.principal);
  await removeRuns(unit, family);
  await db.query("DELETE FROM threads WHERE id = $1", [threadId]);
  return true;
}

export interface RemovalParts {
  readonly database: Database;
  /** Called after each commit. */
  readonly publish: (news: News) => void;
}

/** Removes a thread that is old enough. A thread stays if it has a new run, or a delegated run that is not over. */
export async function removeUnlessBusy({ database, publish }: RemovalParts, threadId: string): Promise<void> {
  try {
    const { news } = await inUnit(database, (unit) => removeThread(unit, { threadId, isAsked: false }));
    publish(news);
  } catch (error) {
    if (!hasCode(error, "THREAD_BUSY")) throw error;
  }
}

/** All runs at once: in this database a long transaction makes nobody wait. */
async function removeRuns(unit: Unit, runs: readonly FamilyRow[]): Promise<void> {
  const { db } = unit;
  const [numbers, ids] = [runs.map(({ n }) => n), runs.map(({ id }) => id)];
  await db.query("INSERT INTO removals SELECT unnest($1::bigint[])", [numbers]);
  await db.query(END_USES, [numbers, Date.now()]);
  await db.query("DELETE FROM activities WHERE run_id = ANY($1::text[])", [ids]);
  await db.query("DELETE FROM runs WHERE n = ANY($1::bigint[])", [numbers]);
  await db.query(
    "DELETE FROM threads t WHERE id = ANY($1::text[]) AND NOT EXISTS (SELECT 1 FROM runs WHERE thread_id = t.id)",
    [threadIdsOf(runs)],
  );
  for (const n of numbers) unit.tellDeleted(n);
}

function threadIdsOf(runs: readonly FamilyRow[]): string[] {
  return [...new Set(runs.map((run) => run.thread_id))];
}

/** Deletes some rows of removed runs; machines take different runs. @returns false when nothing is left */
export async function sweep(db: Queryable): Promise<boolean> {
  const [next] = await db.query<{ run_n: number }>("SELECT run_n FROM removals LIMIT 1 FOR UPDATE SKIP LOCKED");
  if (!next) return false;
  const { run_n: run } = next;
  const deleted = [
    await deleteSome(db, "events", run),
    await deleteSome(db, "messages", run),
    await deleteSome(db, "tool_calls", run),
  ];
  if (deleted.every((rows) => rows < ROWS_A_BATCH)) await db.query("DELETE FROM removals WHERE run_n = $1", [run]);
  return true;
}

async function deleteSome(db: Queryable, table: "events" | "messages" | "tool_calls", run: number): Promise<number> {
  const rows = await db.query(
    `DELETE FROM ${table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM ${table} WHERE run_n = $1 LIMIT ${ROWS_A_BATCH})) RETURNING 1`,
    [run],
  );
  return rows.length;
}

const ENDED_EPHEMERAL = endedEphemeral("$1", `LIMIT ${EPHEMERAL_AT_ONCE}`);

/** Removes some threads whose ephemeral run ended a while before `now`, in ms since the epoch. @returns whether more may be left */
export async function removeEphemeral(parts: RemovalParts, now: number): Promise<boolean> {
  const ended = await parts.database.query<{ thread_id: string }>(ENDED_EPHEMERAL, [now - EPHEMERAL_MS]);
  await doAll(
    ended.map(
      ({ thread_id: threadId }) =>
        () =>
          removeUnlessBusy(parts, threadId),
    ),
  );
  return ended.length === EPHEMERAL_AT_ONCE;
}
