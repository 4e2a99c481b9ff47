/**
 * What each machine reports of itself to the others: one row a machine, in a table without a write-ahead log, because a
 * report is worth nothing after a crash. Called by `engine.ts`.
 */
import { MAX_REPORTING_MACHINES, REPORT_KEPT_MS } from "../../core/limits.ts";
import type { StoredReport } from "../engine.ts";
import { NOW } from "./clock.ts";
import type { Queryable } from "./database.ts";

const STORE =
  `INSERT INTO machine_reports (machine, report, at) VALUES ($1, $2, ${NOW}) ` +
  "ON CONFLICT (machine) DO UPDATE SET report = excluded.report, at = excluded.at";
const TAKE_BACK = "DELETE FROM machine_reports WHERE machine = $1";
const FORGET = `DELETE FROM machine_reports WHERE at < ${NOW} - ${REPORT_KEPT_MS}`;
const NEWEST =
  `SELECT machine, report, greatest(0, ${NOW} - at) AS "ageMs" FROM machine_reports WHERE machine <> $1 ` +
  `ORDER BY at DESC LIMIT ${MAX_REPORTING_MACHINES}`;

/** @param machine the caller's own; undefined when it only reads */
export async function exchangeReports(
  db: Queryable,
  machine: string | undefined,
  report: string | null,
): Promise<StoredReport[]> {
  if (machine !== undefined) {
    await (report === null ? db.query(TAKE_BACK, [machine]) : db.query(STORE, [machine, report]));
  }
  await db.query(FORGET);
  const reports = await db.query<StoredReport>(NEWEST, [machine ?? ""]);
  return reports.toSorted((a, b) => (a.machine < b.machine ? -1 : 1));
}
