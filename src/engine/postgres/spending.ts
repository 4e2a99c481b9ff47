/**
 * What runs spent: by day, agent, principal and model, and in total for each run with all runs below it. `book` and
 * `reserve` are called inside of a transaction, with the run locked.
 */
import { MAX_DELEGATION_DEPTH, type Usage } from "../../core/run.ts";
import {
  dollarsOf,
  judgeBudget,
  NOTHING,
  type Spent,
  type Standing,
  subtractUsage,
  tokensIn,
  type Verdict,
} from "../../core/spending.ts";
import type { Bill, Reservation, Spending, SpendingFilter } from "../engine.ts";
import { leaseLost } from "../rules/lease-lost.ts";
import { usageOf } from "../rules/rows.ts";
import type { Queryable } from "./database.ts";
import type { HeldRow } from "./step.ts";

const COLUMNS = { agent: "agent_id", principal: "principal", model: "model", day: "day" } as const;
const MAX_ROWS = 1_000;

const ADD =
  "INSERT INTO spending VALUES ($1, $2, $3, $4, 1, $5, $6, $7, $8, $9) ON CONFLICT (day, agent_id, principal, model) DO UPDATE SET " +
  "calls = spending.calls + 1, input = spending.input + excluded.input, output = spending.output + excluded.output, " +
  "cache_read = spending.cache_read + excluded.cache_read, cache_write = spending.cache_write + excluded.cache_write, " +
  "dollars = spending.dollars + excluded.dollars";
// The reservation of the call ends, as its cost is booked now.
const ADD_TO_RUN = "UPDATE runs SET dollars = dollars + $2, reserved_tokens = 0, reserved_dollars = 0 WHERE n = $1";
const ADD_TO_PARENTS =
  "WITH RECURSIVE above (id, depth) AS (SELECT $1::text, 1 UNION ALL " +
  "SELECT r.parent_id, depth + 1 FROM above JOIN runs r ON r.id = above.id WHERE r.parent_id IS NOT NULL AND depth < $2::integer) " +
  "UPDATE runs SET delegated_tokens = delegated_tokens + $3::bigint, delegated_dollars = delegated_dollars + $4 " +
  "WHERE id IN (SELECT id FROM above)";
const LOCK_ABOVE =
  "WITH RECURSIVE above (id, depth) AS (SELECT parent_id, 1 FROM runs WHERE id = $1 UNION ALL " +
  "SELECT r.parent_id, depth + 1 FROM above JOIN runs r ON r.id = above.id WHERE r.parent_id IS NOT NULL AND depth < $2::integer) " +
  "SELECT n FROM runs WHERE id IN (SELECT id FROM above) ORDER BY n FOR NO KEY UPDATE";
const SUMS =
  "coalesce(sum(input + output + cache_read + cache_write), 0)::bigint AS tokens, coalesce(sum(dollars), 0) AS dollars";
const RESERVED = "coalesce(sum(reserved_tokens), 0)::bigint AS tokens, coalesce(sum(reserved_dollars), 0) AS dollars";
const SPENT_BY_AGENT = `SELECT ${SUMS} FROM spending WHERE day = $1 AND agent_id = $2`;
const SPENT_BY_PRINCIPAL = `SELECT ${SUMS} FROM spending WHERE day = $1 AND agent_id = $2 AND principal = $3`;
const RESERVED_BY_AGENT = `SELECT ${RESERVED} FROM runs WHERE status = 'running' AND agent_id = $1 AND n <> $2`;
const RESERVED_BY_PRINCIPAL = `SELECT ${RESERVED} FROM runs WHERE status = 'running' AND agent_id = $1 AND n <> $2 AND principal = $3`;
const SPENT_BY_ALL = `SELECT ${SUMS} FROM spending WHERE day = $1 AND principal = $2`;
const RESERVED_BY_ALL = `SELECT ${RESERVED} FROM runs WHERE status = 'running' AND n <> $1 AND principal = $2`;
const RESERVE = "UPDATE runs SET reserved_tokens = $2, reserved_dollars = $3 WHERE n = $1";
/** Reservations of one agent are judged one after the other, on all machines: the lock is held until the commit. */
const LOCK_AGENT = "SELECT pg_advisory_xact_lock(731015520, hashtext($1))";
const LOCK_PRINCIPAL = "SELECT pg_advisory_xact_lock(731015523, hashtext($1))";

/** Locks the runs above this one, which `book` changes: they are locked before the runs below them. */
export async function lockAbove(db: Queryable, runId: string): Promise<void> {
  await db.query(LOCK_ABOVE, [runId, MAX_DELEGATION_DEPTH]);
}

/** The run's usage has grown to `usage`: adds the difference to the day, to the run, and to the runs above it. */
export async function book(db: Queryable, run: HeldRow, { usage, bill }: { usage: Usage; bill: Bill }): Promise<void> {
  const spent = subtractUsage(usage, usageOf(run));
  if (tokensIn(spent) === 0) return;
  const dollars = dollarsOf(spent, bill.price);
  const { input_tokens: input, output_tokens: output } = spent;
  const { cache_read_input_tokens: cacheRead, cache_creation_input_tokens: cacheWrite } = spent;
  await Promise.all([
    db.query(ADD_TO_RUN, [run.n, dollars]),
    ...(run.parent_id === null
      ? []
      : [db.query(ADD_TO_PARENTS, [run.parent_id, MAX_DELEGATION_DEPTH, tokensIn(spent), dollars])]),
    db.query(ADD, [today(), run.agent_id, run.principal, bill.model, input, output, cacheRead, cacheWrite, dollars]),
  ]);
}

/** @param run locked. @throws AppError LEASE_LOST */
export async function reserve(
  db: Queryable,
  run: HeldRow | undefined,
  { runId, fence, budget, estimate }: Reservation,
): Promise<Verdict> {
  if (run?.status !== "running" || run.fence !== fence) throw leaseLost({ runId, fence });
  const { agent_id: agent, principal, n } = run;
  await db.query(LOCK_AGENT, [agent]);
  const [ofAgent, reservedByAgent, ofPrincipal, reservedByPrincipal] = await Promise.all([
    sumOf(db, SPENT_BY_AGENT, [today(), agent]),
    sumOf(db, RESERVED_BY_AGENT, [agent, n]),
    sumOf(db, SPENT_BY_PRINCIPAL, [today(), agent, principal]),
    sumOf(db, RESERVED_BY_PRINCIPAL, [agent, n, principal]),
  ]);
  const tokens = tokensIn(usageOf(run)) + run.delegated_tokens;
  const verdict = judgeBudget(budget, {
    run: { spent: { tokens, dollars: run.dollars + run.delegated_dollars }, reserved: { tokens: 0, dollars: 0 } },
    day: { spent: ofAgent, reserved: reservedByAgent },
    principalDay: { spent: ofPrincipal, reserved: reservedByPrincipal },
    allAgentsDay: budget.allAgentsDay ? await standingOfAll(db, principal, n) : NOTHING,
  });
  if (verdict.is === "within") await db.query(RESERVE, [n, estimate.tokens, estimate.dollars]);
  return verdict;
}

/** Always taken behind the agent's lock, so that two reservations never wait for each other in a circle. */
async function standingOfAll(db: Queryable, principal: string, n: HeldRow["n"]): Promise<Standing> {
  await db.query(LOCK_PRINCIPAL, [principal]);
  const [spent, reserved] = await Promise.all([
    sumOf(db, SPENT_BY_ALL, [today(), principal]),
    sumOf(db, RESERVED_BY_ALL, [n, principal]),
  ]);
  return { spent, reserved };
}

/** The groups that cost most come first; days are ordered newest first. */
export async function readSpending(db: Queryable, { by, since, principal }: SpendingFilter): Promise<Spending[]> {
  const column = COLUMNS[by];
  const sql =
    `SELECT ${column} AS key, sum(calls)::bigint AS calls, sum(input)::bigint AS input_tokens, sum(output)::bigint AS output_tokens, ` +
    "sum(cache_read)::bigint AS cache_read_input_tokens, sum(cache_write)::bigint AS cache_creation_input_tokens, sum(dollars) AS dollars " +
    `FROM spending WHERE day >= $1 ${principal === undefined ? "" : "AND principal = $2"} GROUP BY ${column} ` +
    `ORDER BY ${by === "day" ? "day DESC" : "sum(dollars) DESC, sum(input + output) DESC"} LIMIT ${MAX_ROWS}`;
  const rows = await db.query<{ key: string; calls: number; dollars: number } & Usage>(
    sql,
    principal === undefined ? [since] : [since, principal],
  );
  return rows.map(({ key, calls, dollars, ...usage }) => ({ key, calls, usage, dollars }));
}

async function sumOf(db: Queryable, sql: string, values: readonly unknown[]): Promise<Spent> {
  const [row] = await db.query<Spent>(sql, values);
  return row ?? { tokens: 0, dollars: 0 };
}

function today(): string {
  return new Date().toISOString().slice(0, 10);
}
