/** Makes database files as earlier versions of evenkeel wrote them, for tests of the migrations. */
import { DatabaseSync } from "node:sqlite";

/** Statements that take a file of each schema, from the second on, back to the schema before. */
const UNDO = [
  "DROP INDEX threads_by_last_run; ALTER TABLE threads DROP COLUMN last_run; ALTER TABLE runs DROP COLUMN title",
  "DROP INDEX runs_by_parent; DROP INDEX runs_delegated; ALTER TABLE runs DROP COLUMN parent_id",
  `CREATE TABLE old (run_n INTEGER NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, effects TEXT NOT NULL, result TEXT,
     PRIMARY KEY (run_n, id)) WITHOUT ROWID;
   INSERT INTO old SELECT run_n, id, name, effects, result FROM tool_calls;
   DROP TABLE tool_calls;
   ALTER TABLE old RENAME TO tool_calls`,
  "ALTER TABLE runs DROP COLUMN losses; ALTER TABLE tool_calls DROP COLUMN fence",
  "DROP INDEX runs_ephemeral; ALTER TABLE runs DROP COLUMN ephemeral",
  "ALTER TABLE runs DROP COLUMN finish_reason; ALTER TABLE messages DROP COLUMN about",
  "ALTER TABLE runs DROP COLUMN attempts; DROP TABLE removals",
  `DROP INDEX threads_by_principal; DROP INDEX activities_by_principal; DROP INDEX runs_by_principal;
   ALTER TABLE threads DROP COLUMN principal; ALTER TABLE activities DROP COLUMN principal`,
  `DROP TABLE lease_clock; ALTER TABLE runs DROP COLUMN lease_ms; ALTER TABLE runs DROP COLUMN created_mono;
   ALTER TABLE runs DROP COLUMN claimed_mono; ALTER TABLE runs DROP COLUMN spent_ms`,
  "DROP TABLE shared",
  "DROP INDEX runs_queued_by_principal",
  "DROP TABLE files",
  "DROP INDEX runs_retry_of; ALTER TABLE runs DROP COLUMN retry_of",
  `DROP TABLE spending; ALTER TABLE runs DROP COLUMN dollars; ALTER TABLE runs DROP COLUMN delegated_tokens;
   ALTER TABLE runs DROP COLUMN delegated_dollars; ALTER TABLE runs DROP COLUMN reserved_tokens;
   ALTER TABLE runs DROP COLUMN reserved_dollars`,
  "ALTER TABLE runs DROP COLUMN asked; ALTER TABLE runs DROP COLUMN output",
  "DROP INDEX removals_left; ALTER TABLE removals DROP COLUMN done",
  `DROP INDEX runs_unjoined; DROP INDEX runs_keyed; DROP INDEX threads_by_update; DROP INDEX removals_unhidden;
   ALTER TABLE events DROP COLUMN joined; ALTER TABLE runs DROP COLUMN joined; ALTER TABLE removals DROP COLUMN hidden`,
  "ALTER TABLE runs DROP COLUMN superseded",
  `DROP INDEX runs_claimable; DROP INDEX runs_queued_by_principal; ALTER TABLE runs DROP COLUMN round;
   DROP TABLE claimed_round;
   CREATE INDEX runs_claimable ON runs (n) WHERE status = 'queued' AND head = 1;
   CREATE INDEX runs_queued_by_principal ON runs (principal) WHERE status = 'queued'`,
  "DROP INDEX runs_timed; ALTER TABLE runs DROP COLUMN queue_ms",
  "DROP INDEX files_in_order; ALTER TABLE files DROP COLUMN n",
  "ALTER TABLE runs DROP COLUMN waiting",
  "DROP TABLE file_uses; DROP TABLE file_uses_known; DROP INDEX files_idle; ALTER TABLE files DROP COLUMN idle_since",
  "ALTER TABLE lease_clock DROP COLUMN boot",
];

/** Makes the file one of an earlier schema. */
export function goBackTo(path: string, schema: number): void {
  using db = new DatabaseSync(path);
  for (const undo of UNDO.slice(schema - 1).toReversed()) db.exec(undo);
  setSchema(path, schema);
}

export function setSchema(path: string, version: number): void {
  using db = new DatabaseSync(path);
  db.exec(`PRAGMA user_version = ${version}`);
}

/** Leaves what is stored as programs of an earlier version store it beside this one: they record no uses of files. */
export function forgetFileUses(path: string): void {
  using db = new DatabaseSync(path);
  db.exec("DELETE FROM file_uses; UPDATE files SET idle_since = NULL");
}
