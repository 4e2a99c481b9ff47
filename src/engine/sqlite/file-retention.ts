/**
 * Removes files that no run has used for a while. Before it removes the first one, it learns which files the runs use
 * that were stored before the table of uses was there, or by a program of an older version that went on beside this one:
 * when an upkeep of this version runs, that program's server was stopped. Called by `retention.ts`.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { FILES_A_STEP, filesNamedIn, LEARNED_A_STEP, NAMES_FILE } from "../rules/file-uses.ts";
import type { SqliteConnections } from "./engine.ts";
import type { SqliteFiles } from "./files.ts";
import { LIMIT } from "./sql.ts";
import type { Writer } from "./writer.ts";

export interface FileRetentionParts {
  readonly connections: SqliteConnections;
  readonly writer: Writer;
  readonly files: Pick<SqliteFiles, "removeIdle">;
}

export class FileRetainer {
  readonly #looks: ReturnType<typeof looks>;
  readonly #sql: ReturnType<typeof writes>;
  readonly #parts: FileRetentionParts;
  #isAllKnown = false;

  constructor(parts: FileRetentionParts) {
    this.#parts = parts;
    this.#looks = looks(parts.connections.reading);
    this.#sql = writes(parts.connections.writing);
  }

  /** One step. @returns whether more could be done at once */
  async step(before: number): Promise<boolean> {
    if (await this.#learnSome()) return true;
    const idle = this.#looks.idle.all(before, FILES_A_STEP) as { id: string }[];
    if (idle.length === 0) return false;
    const ids = idle.map(({ id }) => id);
    await this.#parts.files.removeIdle(ids, before);
    return idle.length === FILES_A_STEP;
  }

  /** Reads without the write lock: what runs store meanwhile is recorded. @returns false when all uses are known */
  async #learnSome(): Promise<boolean> {
    if (this.#isAllKnown) return false;
    const { from_run: end } = this.#looks.known.get() as { from_run: number | null };
    if (end === null) {
      await this.#parts.writer.run(() => this.#begin());
      return true;
    }
    this.#isAllKnown = end === 0;
    if (this.#isAllKnown) return false;
    const runs = this.#looks.runs.all(end, LEARNED_A_STEP) as { n: number }[];
    const start = runs.length < LEARNED_A_STEP ? 0 : (runs.at(-1)?.n ?? 0);
    const stored = this.#looks.stored.all({ start, end, names: NAMES_FILE }) as { run_n: number; stored: string }[];
    const uses = stored.flatMap((row) => filesNamedIn(row.stored).map((file) => ({ file, run: row.run_n })));
    await this.#parts.writer.run(() => {
      for (const use of uses) this.#sql.insertUse.run(use);
      this.#sql.setKnown.run(start);
    });
    return true;
  }

  /** From here on all uses are recorded. What is stored already is searched next, and its files count as saved now. */
  #begin(): void {
    if (this.#sql.beginKnown.run().changes > 0) this.#sql.beginIdle.run(Date.now());
  }
}

/** The rows of some runs that name files. */
function naming(table: "messages" | "tool_calls", column: string): string {
  return (
    `SELECT run_n, ${column} AS stored FROM ${table} ` +
    `WHERE run_n >= :start AND run_n < :end AND instr(${column}, :names) > 0`
  );
}

function looks(db: DatabaseSync) {
  return {
    idle: db.prepare(`SELECT id FROM files WHERE idle_since < ? ORDER BY idle_since ${LIMIT}`),
    known: db.prepare("SELECT from_run FROM file_uses_known"),
    runs: db.prepare(`SELECT n FROM runs WHERE n < ? ORDER BY n DESC ${LIMIT}`),
    stored: db.prepare(`${naming("messages", "content")} UNION ALL ${naming("tool_calls", "result")}`),
  } satisfies Record<string, StatementSync>;
}

function writes(db: DatabaseSync) {
  return {
    // Another process may have begun.
    beginKnown: db.prepare(
      "UPDATE file_uses_known SET from_run = (SELECT coalesce(max(n), 0) + 1 FROM runs) WHERE from_run IS NULL",
    ),
    beginIdle: db.prepare("UPDATE files SET idle_since = ? WHERE idle_since IS NULL"),
    // A run that was removed since it was read would never end its use.
    insertUse: db.prepare("INSERT INTO file_uses SELECT :file, n FROM runs WHERE n = :run ON CONFLICT DO NOTHING"),
    // Two processes may learn at the same time.
    setKnown: db.prepare("UPDATE file_uses_known SET from_run = min(from_run, ?)"),
  } satisfies Record<string, StatementSync>;
}
