/**
 * A thread as `evenkeel export` writes it, one line of JSON each: the rows that both drivers store alike, without what is of
 * one storage only (row numbers, leases, owners, idempotency keys). Runs under way are left out. Pure; shared by the drivers.
 */
import type { StoredRow } from "./joined.ts";

/** Columns of a run that are over it for good. */
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
  /** role, content, about, at; in their order. */
  readonly messages: readonly DumpedRow[];
  readonly events: readonly StoredRow[];
  /** step, id, name, effects, result. */
  readonly tool_calls: readonly DumpedRow[];
}

export interface ThreadDump {
  readonly thread: {
    readonly id: string;
    readonly principal: string;
    readonly created_at: number;
    readonly updated_at: number;
    /** 0 of a thread of delegated runs, which is in no list. */
    readonly listed: 0 | 1;
  };
  /** The oldest first. */
  readonly runs: readonly DumpedRun[];
}

/** Where an export goes on: behind this thread. */
export type DumpPosition = Pick<ThreadDump["thread"], "id" | "updated_at">;

/** Column after column; what an older evenkeel did not write has its default. */
export function runValues(run: DumpedRow, columns: readonly string[]): (string | number | null)[] {
  return columns.map((column) => run[column] ?? DEFAULTS[column] ?? null);
}

const DEFAULTS: Readonly<Record<string, number>> = { superseded: 0, joined: 0, ephemeral: 0 };
