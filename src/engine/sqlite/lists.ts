/**
 * Pages of runs and activities, newest first, by any combination of filters. Called by `reads.ts`.
 *
 * Every single filter has an index. With several filters, the index of the first one in the order below is used: its
 * rows are checked one by one against the others. A page checks at most SCANNED_ROWS rows; if it ends there, it is
 * short, and its `next` says where to go on.
 */
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { LISTED_REPLY_CHARACTERS } from "../../core/limits.ts";
import { LIMIT } from "./sql.ts";

/** [About 10 ms on this machine, when none of the rows fits.] */
const SCANNED_ROWS = 5_000;

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
  /** Column and value, the most selective column first. */
  readonly equal: Readonly<Record<string, SQLInputValue | undefined>>;
}

export class Lists {
  readonly #db: DatabaseSync;
  // One statement per combination of filters, so bounded: 2^6 for runs and 2^7 for activities.
  readonly #prepared = new Map<string, StatementSync>();
  readonly #columnsOf = new Map<string, string>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  page(list: List, limit: number, { before, after, equal }: ListFilter) {
    const { table, key } = list;
    const given = Object.entries(equal).filter((entry): entry is [string, SQLInputValue] => entry[1] !== undefined);
    // A condition that is not a plain column has no index.
    const driving = given.find(([column]) => !column.startsWith("("));
    const others = given.filter((entry) => entry !== driving);
    const range = [
      ...(before === undefined ? [] : [[`${key} < ?`, before]]),
      ...(after === undefined ? [] : [[`${key} > ?`, after]]),
    ];
    const driven = [...(driving ? [[`${driving[0]} = ?`, driving[1]]] : []), ...range] as [string, number][];
    const floor = others.length > 0 ? this.#floor(list, driven) : null;
    // The + keeps the planner on the driving index.
    const conditions = [...driven, ...others.map(([column, value]) => [`+${column} = ?`, value] as const)];
    if (floor !== null) conditions.push([`${key} >= ?`, floor]);
    const sql = `SELECT ${this.#columns(list)} FROM ${table} ${where(conditions)} ORDER BY ${key} DESC ${LIMIT}`;
    const rows = this.#statement(sql).all(...conditions.map(([, value]) => value), limit) as Record<string, unknown>[];
    const next = rows.length === limit ? Number(rows.at(-1)?.[key]) : floor;
    return { rows, next };
  }

  /** The key of the last row that a page may look at; null when there are fewer rows. */
  #floor({ table, key }: List, driven: readonly (readonly [string, SQLInputValue])[]): number | null {
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

function where(conditions: readonly (readonly [string, SQLInputValue])[]): string {
  return conditions.length > 0 ? `WHERE ${conditions.map(([condition]) => condition).join(" AND ")}` : "";
}
