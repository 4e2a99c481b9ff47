/**
 * Pages of runs and activities, newest first, by any combination of filters. Called by `reads.ts`.
 *
 * The statements follow `splitFilter`, SCANNED_ROWS and `takePage` of `rules/reads.ts`.
 */
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { LISTED_REPLY_CHARACTERS } from "../../core/limits.ts";
import { SCANNED_ROWS, splitFilter, takePage, type Equal } from "../rules/reads.ts";
import { LIMIT } from "./sql.ts";

interface List {
  readonly table: string;
  readonly key: string;
  /** By column: the expression that is read in its place. */
  readonly instead?: Readonly<Record<string, string>>;
}

export const RUN_LIST: List = {
  table: "runs",
  key: "n",
  // Read one character more than is shown: it says that the reply is longer. The rest of a long reply is not even read.
  instead: { reply: `substr(reply, 1, ${LISTED_REPLY_CHARACTERS + 1})` },
};
export const ACTIVITY_LIST: List = { table: "activities", key: "seq" };

export interface ListFilter {
  readonly before?: number | undefined;
  readonly after?: number | undefined;
  readonly equal: Equal;
}

export class Lists {
  readonly #db: DatabaseSync;
  // One statement per combination of filters, so bounded: 2^7 for runs and 2^7 for activities.
  readonly #prepared = new Map<string, StatementSync>();
  readonly #columnsOf = new Map<string, string>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  page(list: List, limit: number, { before, after, equal }: ListFilter) {
    const { table, key } = list;
    const { driving, others } = splitFilter(equal);
    const driven: Bound[] = [
      ...(driving ? [[`${driving[0]} = ?`, bound(driving[1])] as const] : []),
      ...(before === undefined ? [] : [[`${key} < ?`, before] as const]),
      ...(after === undefined ? [] : [[`${key} > ?`, after] as const]),
    ];
    const floor = others.length > 0 ? this.#floor(list, driven) : null;
    // The + keeps the planner on the driving index.
    const conditions = [...driven, ...others.map(([column, value]) => [`+${column} = ?`, bound(value)] as const)];
    if (floor !== null) conditions.push([`${key} >= ?`, floor]);
    const sql = `SELECT ${this.#columns(list)} FROM ${table} ${where(conditions)} ORDER BY ${key} DESC ${LIMIT}`;
    const rows = this.#statement(sql).iterate(...conditions.map(([, value]) => value), limit);
    return takePage(rows as Iterable<Record<string, unknown>>, { key, limit, floor });
  }

  /** The key of the last row that a page may look at; null when there are fewer rows. */
  #floor({ table, key }: List, driven: readonly Bound[]): number | null {
    const sql = `SELECT ${key} AS floor FROM ${table} ${where(driven)} ORDER BY ${key} DESC LIMIT 1 OFFSET ${SCANNED_ROWS - 1}`;
    const row = this.#statement(sql).get(...driven.map(([, value]) => value)) as { floor: number } | undefined;
    return row?.floor ?? null;
  }

  #columns({ table, instead }: List): string {
    if (!instead) return "*";
    let columns = this.#columnsOf.get(table);
    if (columns) return columns;
    const rows = this.#statement("SELECT name FROM pragma_table_info(?)").all(table) as { name: string }[];
    columns = rows.map(({ name }) => (instead[name] ? `${instead[name]} AS ${name}` : name)).join(", ");
    this.#columnsOf.set(table, columns);
    return columns;
  }

  #statement(sql: string): StatementSync {
    let statement = this.#prepared.get(sql);
    if (!statement) this.#prepared.set(sql, (statement = this.#db.prepare(sql)));
    return statement;
  }
}

type Bound = readonly [sql: string, value: SQLInputValue];

/** SQLite has no type for true and false. */
function bound(value: string | boolean): SQLInputValue {
  return typeof value === "boolean" ? Number(value) : value;
}

function where(conditions: readonly Bound[]): string {
  return conditions.length > 0 ? `WHERE ${conditions.map(([condition]) => condition).join(" AND ")}` : "";
}
