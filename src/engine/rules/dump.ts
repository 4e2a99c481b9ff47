/**
 * A thread as `evenkeel export` writes it, one line of JSON each: the rows that both drivers store alike, without what
 * belongs to one storage only (row numbers, leases, owners, idempotency keys). Runs under way are left out. Pure;
 * shared by the drivers.
 */
import type { StoredRow } from "./joined.ts";

/** Columns of a run that do not change after its end. */
export const RUN_COLUMNS = [
  "id",
  "thread_id",
  "agent_id",
  "parent_id",
  "retry_of",
  "title",
  "status",
  "created_at",
  "started_at",
  "finished_at",
  "fence",
  "attempts",
  "steps",
  "usage",
  "dollars",
  "delegated_tokens",
  "delegated_dollars",
  "reply",
  "finish_reason",
  "output",
  "error",
  "timeout_ms",
  "metadata",
  "asked",
  "principal",
  "fingerprint",
  "ephemeral",
  "superseded",
  "joined",
] as const;

export type DumpedRow = Readonly<Record<string, string | number | null>>;

export interface DumpedRun {
  readonly run: DumpedRow;
  /** The columns role, content, about, at; in the order of the messages. */
  readonly messages: readonly DumpedRow[];
  readonly events: readonly StoredRow[];
  /** The columns step, id, name, effects, result. */
  readonly tool_calls: readonly DumpedRow[];
}

export interface ThreadDump {
  readonly thread: {
    readonly id: string;
    readonly principal: string;
    readonly created_at: number;
    readonly updated_at: number;
    /** 0 for a thread that no list shows, such as one of delegated runs. */
    readonly listed: 0 | 1;
  };
  /** The oldest first. */
  readonly runs: readonly DumpedRun[];
}

/** Where an export continues: after this thread. */
export type DumpPosition = Pick<ThreadDump["thread"], "id" | "updated_at">;

/** The values in the order of the columns. A column that an older evenkeel did not write has its default. */
export function runValues(run: DumpedRow, columns: readonly string[]): (string | number | null)[] {
  return columns.map((column) => run[column] ?? DEFAULTS[column] ?? null);
}

const DEFAULTS: Readonly<Record<string, number>> = { superseded: 0, joined: 0, ephemeral: 0 };
