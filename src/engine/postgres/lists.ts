/**
 * Pages of runs and activities, newest first, by any combination of filters. Called by `reads.ts`.
 *
 * The statements follow `splitFilter`, SCANNED_ROWS and `takePage` of `rules/reads.ts`.
 */
import { LISTED_REPLY_CHARACTERS } from "../../core/limits.ts";
import { SCANNED_ROWS, splitFilter, takePage, type Condition as EqualCondition, type Equal } from "../rules/reads.ts";
import type { Queryable } from "./database.ts";
import { RUN } from "./sql.ts";

interface List {
  readonly table: string;
  readonly key: string;
  readonly columns: string;
}

export const RUN_LIST: List = {
  table: "runs",
  key: "n",
  // Read one character more than is shown: it says that the reply is longer. The rest of a long reply is not even read.
  columns: RUN.replace("reply,", `substr(reply, 1, ${LISTED_REPLY_CHARACTERS + 1}) AS reply,`),
};
export const ACTIVITY_LIST: List = { table: "activities", key: "seq", columns: "*" };

export interface ListFilter {
  readonly before?: number | undefined;
  readonly after?: number | undefined;
  readonly equal: Equal;
}

type Condition = readonly [sql: string, value: unknown];

export async function readPage(db: Queryable, list: List, { limit, filter }: { limit: number; filter: ListFilter }) {
  const { key } = list;
  const { before, after, equal } = filter;
  const { driving, others } = splitFilter(equal);
  const driven: Condition[] = [
    ...(driving ? [isEqual(driving)] : []),
    ...(before === undefined ? [] : [[`${key} <`, before] as const]),
    ...(after === undefined ? [] : [[`${key} >`, after] as const]),
  ];
  const floor = others.length > 0 ? await floorOf(db, list, driven) : null;
  const conditions = [...driven, ...others.map(isEqual), ...(floor === null ? [] : [[`${key} >=`, floor] as const])];
  const sql = `SELECT ${list.columns} FROM ${list.table} ${where(conditions)} ORDER BY ${key} DESC LIMIT $${conditions.length + 1}::integer`;
  const rows = await db.query(sql, [...conditions.map(([, value]) => value), limit]);
  return takePage(rows, { key, limit, floor });
}

/** The key of the last row that a page may look at; null when there are fewer rows. */
async function floorOf(db: Queryable, { table, key }: List, driven: readonly Condition[]): Promise<number | null> {
  const sql = `SELECT ${key} AS floor FROM ${table} ${where(driven)} ORDER BY ${key} DESC LIMIT 1 OFFSET ${SCANNED_ROWS - 1}`;
  const [row] = await db.query<{ floor: number }>(
    sql,
    driven.map(([, value]) => value),
  );
  return row?.floor ?? null;
}

function isEqual([column, value]: EqualCondition): Condition {
  return [`${column} =`, value];
}

function where(conditions: readonly Condition[]): string {
  if (conditions.length === 0) return "";
  return `WHERE ${conditions.map(([condition], index) => `${condition} $${index + 1}`).join(" AND ")}`;
}
