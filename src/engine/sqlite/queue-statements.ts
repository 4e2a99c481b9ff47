/** The SQL of the run queue. Called by `queue.ts`. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { LEASE_CLOCK, RUN_TIME } from "./clock.ts";
import { EARLY_TURNS } from "../rules/said-before.ts";
import { JUDGED, LIMIT } from "./sql.ts";

/** Whether the run has a tool call under way that could end its process: see ToolCall.contained. */
const TOOL_UNDER_WAY =
  "EXISTS (SELECT 1 FROM tool_calls c WHERE c.run_n = runs.n AND c.result IS NULL AND c.fence = runs.fence)";

/** The rows that `requeueAll` takes. */
const RUNNING = `SELECT id, ${TOOL_UNDER_WAY} AS hasToolUnderWay FROM runs WHERE status = 'running'`;

/** Statements that find the run that a request already made. */
function repeatStatements(db: DatabaseSync) {
  return {
    byKey: db.prepare("SELECT * FROM runs WHERE principal = ? AND idempotency_key = ?"),
    retryOf: db.prepare("SELECT * FROM runs WHERE retry_of = ?"),
    markRetry: db.prepare("UPDATE runs SET retry_of = ? WHERE n = ? RETURNING *"),
    newest: db.prepare("SELECT * FROM runs WHERE thread_id = ? AND superseded = 0 ORDER BY n DESC LIMIT 1"),
    early: db.prepare(
      `SELECT r.n, ${JUDGED} FROM runs r WHERE r.thread_id = ? AND r.superseded = 0 ORDER BY r.n LIMIT ${EARLY_TURNS}`,
    ),
    messagesOf: db.prepare("SELECT role, content, about FROM messages WHERE run_n = ? ORDER BY idx"),
    supersede: db.prepare("UPDATE runs SET superseded = 1 WHERE thread_id = ? AND n >= ?"),
  };
}

/** The round of the run that is claimed next, among the runs that nobody delegated. */
const FIRST_ROUND =
  "(SELECT round FROM runs WHERE status = 'queued' AND head = 1 AND parent_id IS NULL ORDER BY round, n LIMIT 1)";
/**
 * Each principal has one waiting run in each round, and a new principal begins in the round after that of the newest
 * claim. So claims go round robin over principals, with an index alone, and a run that waits in a round is never
 * overtaken by runs that come later. Delegated runs are claimed before all others, and have no round.
 */
const NEXT_ROUND =
  "CASE WHEN :parent IS NOT NULL THEN 0 ELSE 1 + max((SELECT round FROM claimed_round), " +
  "coalesce((SELECT max(round) FROM runs WHERE principal = :principal AND status = 'queued'), 0)) END";

/** Whether a queued run has waited for its first owner for longer than its client wanted. */
const IS_OVERDUE = `(queue_ms IS NOT NULL AND attempts = 0 AND ${RUN_TIME} - created_at > queue_ms)`;

/** Statements that find and take runs: those that are next in the queue, and those whose lease ran out. */
function claimStatements(db: DatabaseSync) {
  return {
    // Without the hint, SQLite uses runs_by_status here and in the next statement, and reads everything that is queued.
    delegated: db.prepare(
      `SELECT * FROM runs INDEXED BY runs_delegated WHERE status = 'queued' AND head = 1 AND parent_id IS NOT NULL ORDER BY n ${LIMIT}`,
    ),
    claimable: db.prepare(
      "SELECT * FROM runs INDEXED BY runs_claimable WHERE status = 'queued' AND head = 1 AND parent_id IS NULL " +
        `AND NOT ${IS_OVERDUE} ORDER BY round, n LIMIT (0 + :limit)`,
    ),
    expired: db.prepare(`${RUNNING} AND lease_until < ${LEASE_CLOCK} ORDER BY n`),
    claim: db.prepare(
      "UPDATE runs SET status = 'running', owner = :owner, fence = fence + 1, attempts = attempts + 1, " +
        `lease_ms = :lease, lease_until = ${LEASE_CLOCK} + :lease, claimed_mono = :mono, waiting = NULL, ` +
        `started_at = coalesce(started_at, ${RUN_TIME}) WHERE n = :n RETURNING *`,
    ),
    claimedRound: db.prepare("UPDATE claimed_round SET round = :round WHERE round < :round"),
    overdue: db.prepare(
      "SELECT * FROM runs INDEXED BY runs_timed WHERE status = 'queued' AND queue_ms IS NOT NULL " +
        `AND ${IS_OVERDUE} ORDER BY n LIMIT (0 + :limit)`,
    ),
  };
}

export function queueStatements(db: DatabaseSync) {
  return {
    ...repeatStatements(db),
    ...claimStatements(db),
    byId: db.prepare("SELECT * FROM runs WHERE id = ?"),
    file: db.prepare("SELECT 1 FROM files WHERE id = ?"),
    countQueued: db.prepare("SELECT count(*) AS queued FROM runs WHERE status = 'queued'"),
    underWay: db.prepare("SELECT * FROM runs WHERE thread_id = ? AND status IN ('queued', 'running') ORDER BY n"),
    countOwnQueued: db.prepare("SELECT count(*) AS queued FROM runs WHERE principal = ? AND status = 'queued'"),
    anyOf: db.prepare("SELECT 1 FROM runs WHERE thread_id = ? LIMIT 1"),
    threadPrincipal: db.prepare("SELECT principal FROM threads WHERE id = ?"),
    upsertThread: db.prepare(
      "INSERT INTO threads (id, principal, created_at, updated_at) VALUES (?, ?, ?, ?) " +
        "ON CONFLICT (id) DO UPDATE SET updated_at = excluded.updated_at",
    ),
    insert: db.prepare(
      "INSERT INTO runs (id, thread_id, agent_id, parent_id, title, status, head, created_at, created_mono, timeout_ms, metadata, principal, idempotency_key, fingerprint, ephemeral, asked, queue_ms, round) " +
        "VALUES (:id, :thread, :agent, :parent, :title, 'queued', :head, :now, :mono, :timeout, :metadata, :principal, :key, :fingerprint, :ephemeral, :asked, :queue, " +
        `${NEXT_ROUND}) RETURNING *`,
    ),
    moveUp: db.prepare("UPDATE threads SET last_run = ? WHERE id = ?"),
    // Without the hint, SQLite uses runs_by_status, as in claimStatements.
    countDelegated: db.prepare(
      "SELECT count(*) AS queued FROM runs INDEXED BY runs_delegated WHERE status = 'queued' AND head = 1 AND parent_id IS NOT NULL",
    ),
    extend: db.prepare(
      `UPDATE runs SET lease_until = ${LEASE_CLOCK} + ? WHERE owner = ? AND status = 'running' AND id IN (SELECT value FROM json_each(?)) RETURNING id, cancel_requested`,
    ),
    ofOtherBoots: db.prepare(
      `${RUNNING} AND substr(owner, 1, length(:machine)) = :machine AND substr(owner, 1, length(:boot)) <> :boot ORDER BY n`,
    ),
    ownedBy: db.prepare(`${RUNNING} AND owner = ? ORDER BY n`),
    requestCancel: db.prepare("UPDATE runs SET cancel_requested = 1 WHERE n = ?"),
    requeue: db.prepare(
      `UPDATE runs SET status = 'queued', round = CASE WHEN parent_id IS NULL THEN coalesce(${FIRST_ROUND}, round) ELSE 0 END, ` +
        "owner = NULL, lease_until = NULL, crashes = :crashes, losses = :losses, " +
        "spent_ms = spent_ms + max(0, coalesce(:mono - claimed_mono, 0)) WHERE n = :n",
    ),
  } satisfies Record<string, StatementSync>;
}
