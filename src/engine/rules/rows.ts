/**
 * Rows as both drivers store them, turned into our nouns. JSON is stored as text, and a flag is 0 or 1, so that a row of
 * SQLite and one of Postgres are alike. Called by the drivers; pure.
 */
import type { Activity, ActivityType } from "../../core/activity.ts";
import type { Asked } from "../../core/asked.ts";
import type { ErrorInfo } from "../../core/errors.ts";
import { LISTED_REPLY_CHARACTERS } from "../../core/limits.ts";
import type { AttributedActivity } from "../engine.ts";
import type { Wait } from "../../core/run-waits.ts";
import { tokensIn } from "../../core/spending.ts";
import { NO_USAGE, type FinishReason, type Owner, type Run, type RunStatus, type Usage } from "../../core/run.ts";

export interface RunRow {
  readonly n: number;
  readonly id: string;
  readonly thread_id: string;
  readonly agent_id: string;
  readonly parent_id: string | null;
  readonly retry_of: string | null;
  readonly title: string;
  readonly status: RunStatus;
  readonly created_at: number;
  readonly started_at: number | null;
  readonly finished_at: number | null;
  readonly owner: string | null;
  readonly fence: number;
  readonly attempts: number;
  readonly crashes: number;
  readonly losses: number;
  readonly spent_ms: number;
  readonly cancel_requested: 0 | 1;
  readonly steps: number;
  /** A `Wait` as JSON. It counts only while the run is running: an end, or a requeue, leaves it as it is. */
  readonly waiting: string | null;
  readonly usage: string | null;
  readonly dollars: number;
  readonly delegated_tokens: number;
  readonly delegated_dollars: number;
  readonly reply: string | null;
  readonly finish_reason: FinishReason | null;
  readonly error: string | null;
  readonly timeout_ms: number | null;
  readonly metadata: string;
  readonly asked: string | null;
  readonly output: string | null;
  readonly principal: string;
  readonly fingerprint: string;
  readonly ephemeral: 0 | 1;
  readonly superseded: 0 | 1;
}

export function toRun(row: RunRow): Run {
  return {
    run_id: row.id,
    thread_id: row.thread_id,
    agent_id: row.agent_id,
    parent_run_id: row.parent_id,
    retry_of: row.retry_of,
    title: row.title,
    status: row.status,
    ...(row.status === "running" && row.waiting !== null && { waiting: JSON.parse(row.waiting) as Wait }),
    created_at: row.created_at,
    started_at: row.started_at,
    finished_at: row.finished_at,
    attempts: row.attempts,
    steps: row.steps,
    usage: usageOf(row),
    spent: {
      dollars: row.dollars,
      total_tokens: tokensIn(usageOf(row)) + row.delegated_tokens,
      total_dollars: row.dollars + row.delegated_dollars,
    },
    reply: row.reply,
    finish_reason: row.finish_reason,
    ...(row.output !== null && { output: JSON.parse(row.output) as unknown }),
    error: row.error === null ? null : (JSON.parse(row.error) as ErrorInfo),
    timeout_ms: row.timeout_ms,
    cancel_requested: row.cancel_requested === 1,
    metadata: JSON.parse(row.metadata) as Record<string, unknown>,
    principal: row.principal,
  };
}

/** A run as lists show it: a long reply is cut. */
export function toListed(row: RunRow): Run {
  const run = toRun(row);
  if (run.reply === null || run.reply.length <= LISTED_REPLY_CHARACTERS) return run;
  return { ...run, reply: `${run.reply.slice(0, LISTED_REPLY_CHARACTERS - 1).toWellFormed()}…` };
}

/** An owner as one column. The keys of one machine share a prefix, and so do the keys of one boot. */
export function ownerKey({ machine, boot, process }: Owner): string {
  return `${machine}/${boot}/${process}`;
}

export function usageOf(row: Pick<RunRow, "usage">): Usage {
  return row.usage === null ? NO_USAGE : (JSON.parse(row.usage) as Usage);
}

export interface ActivityRow {
  readonly seq: number;
  readonly at: number;
  readonly type: ActivityType;
  readonly agent_id: string | null;
  readonly thread_id: string | null;
  readonly run_id: string | null;
  readonly principal: string | null;
  readonly detail: string;
}

export function toActivity(row: ActivityRow): Activity {
  const { seq, at, type, agent_id, thread_id, run_id, detail } = row;
  return { seq, at, type, agent_id, thread_id, run_id, detail: JSON.parse(detail) as Activity["detail"] };
}

export function toAttributed(row: ActivityRow): AttributedActivity {
  return { principal: row.principal, activity: toActivity(row) };
}

export function askedOf({ asked }: Pick<RunRow, "asked">): Asked {
  return asked === null ? {} : (JSON.parse(asked) as Asked);
}
