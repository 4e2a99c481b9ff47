/**
 * What runs spent: by day, agent, principal and model, and in total for each run with all runs below it. `book` and
 * `reserve` are called inside of a transaction; `read` uses a connection of its own.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { MAX_DELEGATION_DEPTH, type Usage } from "../../core/run.ts";
import {
  dollarsOf,
  judgeBudget,
  NOTHING,
  subtractUsage,
  tokensIn,
  type Spent,
  type Verdict,
} from "../../core/spending.ts";
import type { Bill, Reservation, Spending, SpendingFilter } from "../engine.ts";
import { leaseLost } from "../rules/lease-lost.ts";
import { usageOf, type RunRow } from "../rules/rows.ts";

type SpendingRun = Pick<RunRow, "n" | "id" | "agent_id" | "principal" | "usage">;

const COLUMNS = { agent: "agent_id", principal: "principal", model: "model", day: "day" } as const;
const MAX_ROWS = 1_000;

export class SpendingBook {
  readonly #sql: ReturnType<typeof statements>;

  constructor(writing: DatabaseSync) {
    this.#sql = statements(writing);
  }

  /** The run's usage has grown to `usage`: adds the difference to the day, to the run, and to the runs above it. */
  book(run: SpendingRun, usage: Usage, { model, price }: Bill): void {
    const spent = subtractUsage(usage, usageOf(run));
    if (tokensIn(spent) === 0) return;
    const dollars = dollarsOf(spent, price);
    const { input_tokens: input, output_tokens: output } = spent;
    const { cache_read_input_tokens: cacheRead, cache_creation_input_tokens: cacheWrite } = spent;
    const tokens = { input, output, cacheRead, cacheWrite, dollars };
    this.#sql.add.run({ day: today(), agent: run.agent_id, principal: run.principal, model, ...tokens });
    this.#sql.addToRun.run(dollars, run.n);
    this.#sql.addToParents.run({ id: run.id, depth: MAX_DELEGATION_DEPTH, ...tokens });
  }

  /** @throws AppError LEASE_LOST */
  reserve({ runId, fence, budget, estimate }: Reservation): Verdict {
    const run = this.#sql.run.get(runId) as (RunRow & OwnColumns) | undefined;
    if (run?.status !== "running" || run.fence !== fence) throw leaseLost({ runId, fence });
    const about = { day: today(), agent: run.agent_id, principal: run.principal, n: run.n };
    const { day, agent, principal, n } = about;
    const verdict = judgeBudget(budget, {
      run: {
        spent: { tokens: tokensIn(usageOf(run)) + run.delegated_tokens, dollars: run.dollars + run.delegated_dollars },
        reserved: { tokens: 0, dollars: 0 },
      },
      day: {
        spent: this.#sql.spentByAgent.get(day, agent) as unknown as Spent,
        reserved: this.#sql.reservedByAgent.get(agent, n) as unknown as Spent,
      },
      principalDay: {
        spent: this.#sql.spentByPrincipal.get(day, agent, principal) as unknown as Spent,
        reserved: this.#sql.reservedByPrincipal.get(agent, n, principal) as unknown as Spent,
      },
      allAgentsDay: budget.allAgentsDay
        ? {
            spent: this.#sql.spentByAll.get(day, principal) as unknown as Spent,
            reserved: this.#sql.reservedByAll.get(n, principal) as unknown as Spent,
          }
        : NOTHING,
    });
    if (verdict.is === "within") this.#sql.reserve.run(estimate.tokens, estimate.dollars, n);
    return verdict;
  }
}

interface OwnColumns {
  readonly dollars: number;
  readonly delegated_tokens: number;
  readonly delegated_dollars: number;
}

/** The groups that cost most come first; days are ordered newest first. */
export function readSpending(db: DatabaseSync, { by, since, principal }: SpendingFilter): Spending[] {
  const column = COLUMNS[by];
  const whose = principal === undefined ? "" : "AND principal = ?";
  const sql =
    `SELECT ${column} AS key, sum(calls) AS calls, sum(input) AS input_tokens, sum(output) AS output_tokens, ` +
    "sum(cache_read) AS cache_read_input_tokens, sum(cache_write) AS cache_creation_input_tokens, sum(dollars) AS dollars " +
    `FROM spending WHERE day >= ? ${whose} GROUP BY ${column} ` +
    `ORDER BY ${by === "day" ? "day DESC" : "sum(dollars) DESC, sum(input + output) DESC"} LIMIT ${MAX_ROWS}`;
  const rows = db.prepare(sql).all(since, ...(principal === undefined ? [] : [principal]));
  return rows.map((row) => {
    const { key, calls, dollars, ...usage } = row as unknown as { key: string; calls: number; dollars: number } & Usage;
    return { key, calls, usage, dollars };
  });
}

function today(): string {
  return new Date().toISOString().slice(0, 10);
}

const SUMS =
  "coalesce(sum(input + output + cache_read + cache_write), 0) AS tokens, coalesce(sum(dollars), 0) AS dollars";
/** The planner would take the index of principals, and read every run that the principal ever had. */
const RESERVED =
  "SELECT coalesce(sum(reserved_tokens), 0) AS tokens, coalesce(sum(reserved_dollars), 0) AS dollars " +
  "FROM runs INDEXED BY runs_by_status WHERE status = 'running'";

function statements(db: DatabaseSync) {
  return {
    run: db.prepare("SELECT * FROM runs WHERE id = ?"),
    add: db.prepare(
      "INSERT INTO spending VALUES (:day, :agent, :principal, :model, 1, :input, :output, :cacheRead, :cacheWrite, :dollars) " +
        "ON CONFLICT DO UPDATE SET calls = calls + 1, input = input + excluded.input, output = output + excluded.output, " +
        "cache_read = cache_read + excluded.cache_read, cache_write = cache_write + excluded.cache_write, " +
        "dollars = dollars + excluded.dollars",
    ),
    // The reservation of the call ends, as its cost is booked now.
    addToRun: db.prepare(
      "UPDATE runs SET dollars = dollars + ?, reserved_tokens = 0, reserved_dollars = 0 WHERE n = ?",
    ),
    addToParents: db.prepare(
      "WITH RECURSIVE above (id, depth) AS (SELECT parent_id, 1 FROM runs WHERE id = :id UNION ALL " +
        "SELECT r.parent_id, depth + 1 FROM above JOIN runs r ON r.id = above.id WHERE depth < :depth) " +
        "UPDATE runs SET delegated_tokens = delegated_tokens + :input + :output + :cacheRead + :cacheWrite, " +
        "delegated_dollars = delegated_dollars + :dollars WHERE id IN (SELECT id FROM above WHERE id IS NOT NULL)",
    ),
    spentByAgent: db.prepare(`SELECT ${SUMS} FROM spending WHERE day = ? AND agent_id = ?`),
    spentByPrincipal: db.prepare(`SELECT ${SUMS} FROM spending WHERE day = ? AND agent_id = ? AND principal = ?`),
    reservedByAgent: db.prepare(`${RESERVED} AND agent_id = ? AND n <> ?`),
    reservedByPrincipal: db.prepare(`${RESERVED} AND agent_id = ? AND n <> ? AND principal = ?`),
    spentByAll: db.prepare(`SELECT ${SUMS} FROM spending WHERE day = ? AND principal = ?`),
    reservedByAll: db.prepare(`${RESERVED} AND n <> ? AND principal = ?`),
    reserve: db.prepare("UPDATE runs SET reserved_tokens = ?, reserved_dollars = ? WHERE n = ?"),
  } satisfies Record<string, StatementSync>;
}
