/**
 * Pages of runs and activities, newest first, by any combination of filters. Called by `reads.ts`.
 *
 * Every single filter has an index. With several filters, the index of the first one is used: its rows are checked one
 * by one against the others. A page checks at most SCANNED_ROWS rows; if it ends there, it is short, and its `next`
 * says where to go on.
 */
import { LISTED_REPLY_CHARACTERS } from "../../core/limits.ts";
import type { Row, Queryable } from "./database.ts";
import { RUN } from "./sql.ts";

const SCANNED_ROWS = 5_000;

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
  /** Column and value, the most selective column first. */
  readonly equal: Readonly<Record<string, unknown>>;
}

type Condition = readonly [sql: string, value: unknown];

export async function readPage(db: Queryable, list: List, { limit, filter }: { limit: number; filter: ListFilter }) {
  const { key } = list;
  const { before, after, equal } = filter;
  const given: Condition[] = Object.entries(equal).flatMap(([column, value]) =>
    value === undefined ? [] : [[`${column} =`, value] as const],
  );
  // A condition that is not a plain column has no index.
  const driving = given.find(([column]) => !column.startsWith("("));
  const others = given.filter((condition) => condition !== driving);
  const driven: Condition[] = [
    ...(driving ? [driving] : []),
    ...(before === undefined ? [] : [[`${key} <`, before] as const]),
    ...(after === undefined ? [] : [[`${key} >`, after] as const]),
  ];
  const floor = others.length > 0 ? await floorOf(db, list, driven) : null;
  const conditions = [...driven, ...others, ...(floor === null ? [] : [[`${key} >=`, floor] as const])];
  const sql = `SELECT ${list.columns} FROM ${list.table} ${where(conditions)} ORDER BY ${key} DESC LIMIT $${conditions.length + 1}::integer`;
  const rows = await db.query(sql, [...conditions.map(([, value]) => value), limit]);
  const next = rows.length === limit ? Number((rows.at(-1) as Row)[key]) : floor;
  return { rows, next };
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

function where(conditions: readonly Condition[]): string {
  if (conditions.length === 0) return "";
  return `WHERE ${conditions.map(([condition], index) => `${condition} $${index + 1}`).join(" AND ")}`;
}
