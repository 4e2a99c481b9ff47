/** The run queue, inside a unit that `engine.ts` has begun: enqueue, cancel and retry. */
import {
  isOver,
  MAX_DELEGATED_RUNS,
  MAX_DELEGATION_DEPTH,
  titleOf,
  type NewRun,
  type RetryRequest,
  type Run,
  type Superseded,
} from "../../core/run.ts";
import type { EngineLimits } from "../engine.ts";
import {
  assertAdmitted,
  assertMayDelegate,
  assertOwnShare,
  assertOwnThread,
  canceledBy,
  firstSuperseded,
  isListed,
  repeatOf,
  type Place,
} from "../rules/enqueue.ts";
import { filesSentWith } from "../rules/file-uses.ts";
import { againOf, assertRetryable, retriedMessages } from "../rules/retry.ts";
import { toRun } from "../rules/rows.ts";
import { beforeQuestion, EARLY_TURNS, sourceOfBefore, type EarlyRow } from "../rules/said-before.ts";
import { queuedEvents } from "../rules/told.ts";
import { toMessage, type TurnRow } from "../rules/turns.ts";
import type { Message } from "../../core/message.ts";
import { NOW } from "./clock.ts";
import type { Queryable } from "./database.ts";
import { cancelFamily } from "./ending.ts";
import { holdFiles } from "./files.ts";
import { JUDGED, RUN } from "./sql.ts";
import { messagesStatement, type HeldRow } from "./step.ts";
import type { Unit } from "./unit.ts";

export interface Created {
  readonly run: Run;
  readonly created: boolean;
}

const AT_ONCE = 200;
/** Any number that other programs on the same database are unlikely to take. */
const ADMISSION_LOCK = 7_310_155_203;

const BY_KEY_OR_ID = `SELECT ${RUN}, idempotency_key FROM runs WHERE id = $1 OR (principal = $2 AND idempotency_key = $3)`;
const LOCK_BY_ID = `SELECT ${RUN} FROM runs WHERE id = $1 FOR UPDATE`;
const UNDER_WAY = "SELECT id, n FROM runs WHERE thread_id = $1 AND status IN ('queued', 'running') ORDER BY n";
const COUNT_QUEUED =
  "SELECT (SELECT count(*) FROM runs WHERE status = 'queued') AS queued, " +
  "(SELECT count(*) FROM runs WHERE status = 'queued' AND principal = $1) AS own, " +
  "(SELECT count(*) FROM runs WHERE status = 'queued' AND head = 1 AND parent_id IS NOT NULL) AS delegated";
/** Locks the thread, so that its runs are numbered in the order of their commits. */
const LOCK_THREAD =
  `INSERT INTO threads (id, principal, created_at, updated_at) VALUES ($1, $2, $3, $3) ` +
  "ON CONFLICT (id) DO UPDATE SET updated_at = excluded.updated_at RETURNING principal";
/** The round after the principal's newest waiting run and after the newest claim. Delegated runs have no round. */
const NEXT_ROUND =
  "CASE WHEN $4::text IS NOT NULL THEN 0 ELSE 1 + GREATEST((SELECT last_value FROM claimed_round), " +
  "(SELECT max(round) FROM runs WHERE principal = $8 AND status = 'queued')) END";
const INSERT =
  "INSERT INTO runs (id, thread_id, agent_id, parent_id, title, status, head, created_at, created_clock, timeout_ms, metadata, principal, " +
  "idempotency_key, fingerprint, ephemeral, asked, retry_of, queue_ms, round) SELECT $1, $2, $3, $4, $5, 'queued', " +
  "(NOT EXISTS (SELECT 1 FROM runs WHERE thread_id = $2 AND status IN ('queued', 'running')))::integer, " +
  `$14::bigint, ${NOW}, $6, $7, $8, $9, $10, $11, $12, $13, $15::bigint, ${NEXT_ROUND} RETURNING ${RUN}, head`;
const NEWEST = `SELECT ${RUN} FROM runs WHERE thread_id = $1 AND superseded = 0 ORDER BY n DESC LIMIT 1`;
const EARLY = `SELECT r.n, ${JUDGED} FROM runs r WHERE r.thread_id = $1 AND r.superseded = 0 ORDER BY r.n LIMIT ${EARLY_TURNS}`;
const MESSAGES_OF = "SELECT role, content, about FROM messages WHERE run_n = $1 ORDER BY idx";
const MOVE_UP = "UPDATE threads SET last_run = $1, updated_at = greatest(updated_at, $3::bigint) WHERE id = $2";
/**
 * How deep a run below this one is, and how many there are below the topmost one, both counted a little beyond their
 * limits. Counted by ids, not rows: an ancestor whose thread was deleted still counts.
 */
const PLACE =
  "WITH RECURSIVE above (id, depth) AS (SELECT $1::text, 1 UNION ALL " +
  "SELECT r.parent_id, depth + 1 FROM above JOIN runs r ON r.id = above.id WHERE r.parent_id IS NOT NULL AND depth <= $2::integer), " +
  "family (id) AS ((SELECT id FROM above ORDER BY depth DESC LIMIT 1) UNION " +
  "SELECT r.id FROM family JOIN runs r ON r.parent_id = family.id) " +
  "SELECT (SELECT max(depth) FROM above) AS depth, (SELECT count(*) FROM (SELECT 1 FROM family LIMIT $3::integer) f) AS runs";
/** @param limits the limits of the engine */
export async function enqueue(unit: Unit, asked: NewRun, limits: EngineLimits): Promise<Created> {
  // The parent is locked before its thread is: a cancel of the parent either came before and is seen here, or will find
  // the new run.
  const parent = asked.parentRunId === null ? undefined : await one(unit.db, LOCK_BY_ID, [asked.parentRunId]);
  const request = parent ? { ...asked, principal: parent.principal } : asked;
  const first = await findRepeat(unit.db, request);
  if (first) return { run: toRun(first), created: false };
  const [thread, underWay, counted] = await Promise.all([
    one<{ principal: string }>(unit.db, LOCK_THREAD, [request.threadId, request.principal, Date.now()]),
    unit.db.query<PlacedRun>(UNDER_WAY, [request.threadId]),
    one<QueueCounts>(unit.db, COUNT_QUEUED, [request.principal]),
  ]);
  assertOwnThread(request, thread?.principal);
  const counts = counted ?? NONE_QUEUED;
  assertRoom(request, counts, limits);
  if (request.parentRunId !== null) await admitChild(unit.db, request.parentRunId, parent);
  await takePlace(unit, request, underWay);
  await holdFiles(unit.db, filesSentWith(request));
  await assertRoomNearLimit(unit.db, counts, { request, limits });
  const content = request.content ?? request.message;
  const messages = [...(await messagesBefore(unit.db, request)), { role: "user" as const, content }];
  const row = await insert(unit, request);
  const ahead = request.parentRunId === null ? counts.queued : counts.delegated;
  await begin(unit, row, { messages, ahead });
  return { run: toRun(row), created: true };
}

type PlacedRun = Pick<HeldRow, "id" | "n">;

/** @throws AppError OVERLOADED, TOO_MANY_REQUESTS. What the transaction has written is rolled back then. */
function assertRoom(request: NewRun, { own, queued }: QueueCounts, limits: EngineLimits): void {
  assertOwnShare(request, () => own);
  if (request.parentRunId === null) assertAdmitted(queued, limits.queued);
}

/** Cancels and supersedes the runs that the request replaces. @throws AppError before anything is written */
async function takePlace(unit: Unit, request: NewRun, underWay: readonly PlacedRun[]): Promise<void> {
  const { supersedes, threadId } = request;
  const first = supersedes && (await findSuperseded(unit.db, supersedes, request));
  for (const id of canceledBy(request, underWay, first)) await cancelFamily(unit, id);
  if (first)
    await unit.db.query("UPDATE runs SET superseded = 1 WHERE thread_id = $1 AND n >= $2", [threadId, first.n]);
}

/** Asked after `takePlace`, under the lock of the thread: of two first messages only one brings the conversation. */
async function messagesBefore(db: Queryable, { before = [], threadId }: NewRun): Promise<readonly Message[]> {
  if (before.length === 0) return [];
  const source = sourceOfBefore(await db.query<EarlyRow>(EARLY, [threadId]));
  if (source === undefined) return [];
  return source === "client" ? before : beforeQuestion(await db.query<TurnRow>(MESSAGES_OF, [source]));
}

async function findSuperseded(
  db: Queryable,
  by: Superseded,
  { threadId, principal }: NewRun,
): Promise<HeldRow | undefined> {
  const named =
    "key" in by
      ? await one(db, `SELECT ${RUN} FROM runs WHERE principal = $1 AND idempotency_key = $2`, [principal, by.key])
      : await one(db, `SELECT ${RUN} FROM runs WHERE id = $1`, [by.runId]);
  const newest = await one(db, NEWEST, [threadId]);
  return firstSuperseded(by, threadId, { named, newest: () => newest });
}

interface QueueCounts {
  readonly queued: number;
  readonly own: number;
  readonly delegated: number;
}

const NONE_QUEUED: QueueCounts = { queued: 0, own: 0, delegated: 0 };

/**
 * Requests that are stored at the same moment do not see each other. Near a limit (as near as the number of runs that
 * all machines may store at once) they are therefore counted one after the other. Runs that the request has canceled
 * do not count any more. Call it when the transaction has locked all threads and runs that it needs: see `sql.ts`.
 * @throws AppError OVERLOADED, TOO_MANY_REQUESTS
 */
async function assertRoomNearLimit(
  db: Queryable,
  counts: QueueCounts,
  { request, limits }: { readonly request: NewRun; readonly limits: EngineLimits },
): Promise<void> {
  const { queuedAtMost = Infinity, parentRunId, principal } = request;
  const isNear = counts.queued > limits.queued - AT_ONCE || counts.own > queuedAtMost - AT_ONCE;
  if (parentRunId !== null || !isNear) return;
  await db.query("SELECT pg_advisory_xact_lock($1)", [ADMISSION_LOCK]);
  assertRoom(request, (await one<QueueCounts>(db, COUNT_QUEUED, [principal])) ?? counts, limits);
}

async function findRepeat(db: Queryable, request: NewRun): Promise<HeldRow | undefined> {
  const { runId, principal, idempotencyKey: key } = request;
  const rows = await db.query<HeldRow & { idempotency_key: string | null }>(BY_KEY_OR_ID, [runId, principal, key]);
  const byKey = rows.find((row) => key !== null && row.principal === principal && row.idempotency_key === key);
  const byId = rows.find(({ id }) => id === runId);
  return repeatOf(request, byKey, byId);
}

async function admitChild(db: Queryable, parentId: string, parent: HeldRow | undefined): Promise<void> {
  const place = await one<Place>(db, PLACE, [parentId, MAX_DELEGATION_DEPTH, MAX_DELEGATED_RUNS + 1]);
  assertMayDelegate(parentId, parent && toRun(parent), () => place ?? { depth: 1, runs: 1 });
}

async function insert(unit: Unit, request: NewRun, retryOf: string | null = null): Promise<HeldRow> {
  const row = await one<HeldRow & { head: number }>(unit.db, INSERT, [
    request.runId,
    request.threadId,
    request.agentId,
    request.parentRunId,
    titleOf(request.message),
    request.timeoutMs,
    JSON.stringify(request.metadata),
    request.principal,
    request.idempotencyKey,
    request.fingerprint,
    request.ephemeral ? 1 : 0,
    request.asked ? JSON.stringify(request.asked) : null,
    retryOf,
    Date.now(),
    request.queueTimeoutMs ?? null,
  ]);
  if (!row) throw new Error(`Run ${request.runId} was not stored.`);
  if (row.head === 1) unit.tellWork();
  return row;
}

/** Writes what a new run starts with. */
async function begin(
  unit: Unit,
  row: HeldRow,
  { messages, ahead }: { readonly messages: readonly TurnMessage[]; readonly ahead: number },
): Promise<void> {
  const { text, values } = messagesStatement(row, messages);
  const isShown = isListed({ parentRunId: row.parent_id, ephemeral: row.ephemeral === 1, agentId: row.agent_id });
  await Promise.all([
    unit.db.query(text, values),
    unit.db.query(MOVE_UP, [isShown ? row.n : 0, row.thread_id, row.created_at]),
  ]);
  unit.appendEvents(row, queuedEvents(toRun(row), ahead));
}

type TurnMessage = Parameters<typeof messagesStatement>[1][number];

export async function cancel(unit: Unit, runId: string): Promise<Run | undefined> {
  const run = await unit.lock(runId);
  if (!run) return undefined;
  if (!isOver(run.status)) await cancelFamily(unit, runId);
  const after = await one(unit.db, LOCK_BY_ID, [runId]);
  return after && toRun(after);
}

export async function retry(
  unit: Unit,
  { of, limits, ...asked }: RetryRequest & { readonly limits: EngineLimits },
): Promise<Created | undefined> {
  const old = await unit.lock(of);
  if (!old) return undefined;
  const first = await one(unit.db, `SELECT ${RUN} FROM runs WHERE retry_of = $1`, [of]);
  if (first) return { run: toRun(first), created: false };
  assertRetryable(old);
  const request = againOf(old, asked);
  const counts = (await one<QueueCounts>(unit.db, COUNT_QUEUED, [old.principal])) ?? NONE_QUEUED;
  assertRoom(request, counts, limits);
  await assertRoomNearLimit(unit.db, counts, { request, limits });
  const rows = await unit.db.query<Pick<TurnRow, "role" | "content" | "about">>(MESSAGES_OF, [old.n]);
  const row = await insert(unit, request, of);
  await begin(unit, row, { messages: retriedMessages(rows.map(toMessage)), ahead: counts.queued });
  // A new run has made no steps, so its ledger begins at step 0.
  await unit.db.query(
    "INSERT INTO tool_calls (run_n, step, id, name, effects, result) SELECT $2::bigint, 0, id, name, effects, result " +
      "FROM tool_calls WHERE run_n = $1 AND step = $3",
    [old.n, row.n, old.steps],
  );
  return { run: toRun(row), created: true };
}

async function one<T extends object = HeldRow>(
  db: Queryable,
  text: string,
  values: readonly unknown[],
): Promise<T | undefined> {
  const [row] = await db.query<T>(text, values);
  return row;
}
