/**
 * What the reads of both drivers share: which columns a filter looks at, and what rows become in an answer. Called by
 * `reads.ts` and `lists.ts` of the drivers; pure.
 */
import type { ThreadSummary } from "../../api/threads.ts";
import type { ActivityType } from "../../core/activity.ts";
import { PAGE_CHARACTERS } from "../../core/limits.ts";
import type { ActivityCounts, ActivityFilter, ListPage, RunFilter } from "../engine.ts";
import { MESSAGES_A_RUN } from "./turns.ts";

/**
 * A page checks at most this many rows. If it ends there, it is short, and its `next` says where to go on. [About 10 ms
 * in SQLite, when none of the rows fits.]
 */
export const SCANNED_ROWS = 5_000;

/** Column and value, the most selective column first; without a value, the column is not looked at. */
export type Equal = Readonly<Record<string, string | boolean | undefined>>;

export function equalOfRuns({ status, parked, agentId, threadId, parentRunId, topLevel, principal }: RunFilter): Equal {
  return {
    thread_id: threadId,
    parent_id: parentRunId,
    principal,
    agent_id: agentId,
    // Parked runs are running: so the index by status finds them.
    status: parked === true ? (status ?? "running") : status,
    "(status = 'running' AND waiting IS NOT NULL)": parked,
    "(parent_id IS NULL)": topLevel,
  };
}

export function equalOfActivities({ agentId, threadId, runId, type, principal }: ActivityFilter): Equal {
  return { run_id: runId, thread_id: threadId, principal, agent_id: agentId, type };
}

export type Condition = readonly [column: string, value: string | boolean];

/**
 * Every single filter has an index. With several filters, the index of the first one is used (`driving`), and its rows
 * are checked one by one against the others.
 */
export function splitFilter(equal: Equal): { readonly driving: Condition | undefined; readonly others: Condition[] } {
  const given = Object.entries(equal).filter((entry): entry is [string, string | boolean] => entry[1] !== undefined);
  // A condition that is not a plain column has no index.
  const driving = given.find(([column]) => !column.startsWith("("));
  return { driving, others: given.filter((condition) => condition !== driving) };
}

type ListRow = Readonly<Record<string, unknown>>;

export interface PageBounds {
  /** The column by which the list is ordered; `next` is its value in the last row. */
  readonly key: string;
  readonly limit: number;
  /** The key of the last row that the page looked at, if a filter made it stop there. */
  readonly floor: number | null;
}

/** Takes no more rows than the page holds: it ends with the row that reaches PAGE_CHARACTERS. */
export function takePage(found: Iterable<ListRow>, { key, limit, floor }: PageBounds) {
  const rows: ListRow[] = [];
  let characters = 0;
  for (const row of found) {
    rows.push(row);
    characters += charactersOf(row);
    if (rows.length === limit || characters >= PAGE_CHARACTERS) return { rows, next: Number(row[key]) };
  }
  return { rows, next: floor };
}

/** Of its texts. Numbers and the names of fields are short, and this is done for each row of each list. */
function charactersOf(row: ListRow): number {
  return Object.values(row).reduce<number>((sum, value) => sum + (typeof value === "string" ? value.length : 0), 0);
}

/**
 * For SQL: threads `t` as lists show them. A thread is named after its first run and ordered by its newest. A thread
 * whose last_run is 0 is not listed.
 */
export const THREAD =
  "SELECT t.id AS thread_id, t.last_run, t.created_at, t.updated_at, " +
  "(SELECT r.title FROM runs r WHERE r.thread_id = t.id ORDER BY r.n LIMIT 1) AS title, " +
  "(SELECT count(*) FROM runs r WHERE r.thread_id = t.id) AS runs FROM threads t";

export interface ThreadRow extends ThreadSummary {
  readonly last_run: number;
}

export function toSummary({ thread_id, title, created_at, updated_at, runs }: ThreadRow): ThreadSummary {
  return { thread_id, title, created_at, updated_at, runs };
}

export function toThreadPage(rows: readonly ThreadRow[], limit: number): ListPage<ThreadSummary> {
  const last = rows.at(-1)?.last_run;
  // A full page may have a next one; a short page is the last.
  return { items: rows.map(toSummary), next: rows.length === limit && last !== undefined ? last : null };
}

export interface CountRow {
  readonly type: ActivityType;
  readonly many: number;
  /** The seq of the newest activity of this type. */
  readonly last: number;
}

export function toCounts(after: number, rows: readonly CountRow[]): ActivityCounts {
  return {
    last: Math.max(after, ...rows.map(({ last }) => last)),
    byType: Object.fromEntries(rows.map(({ type, many }) => [type, many])),
  };
}

/** The position of a message in its thread, and back. */
export function positionOf({ run_n: run, idx }: { readonly run_n: number; readonly idx: number }): number {
  return run * MESSAGES_A_RUN + idx;
}

export function placeOf(position: number): { readonly run: number; readonly index: number } {
  return { run: Math.floor(position / MESSAGES_A_RUN), index: position % MESSAGES_A_RUN };
}

/** The position behind all messages of the run that has this position. */
export function positionBehind(position: number): number {
  return (placeOf(position).run + 1) * MESSAGES_A_RUN;
}
