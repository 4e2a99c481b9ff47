/**
 * One primary per data directory. The lock is SQLite's own file lock: the kernel drops it with the
 * process, however that ends, so that a `kill -9` never leaves a stale lock file behind.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Lock } from "../open.ts";

/** @returns undefined when another process holds it. @throws Error that names DATA_DIR when it cannot be used */
export function lockFolder(folder: string): Lock | undefined {
  const db = openIn(folder);
  try {
    db.exec("BEGIN EXCLUSIVE");
  } catch {
    db.close();
    return undefined;
  }
  return { release: () => db.isOpen && db.close() };
}

function openIn(folder: string): DatabaseSync {
  try {
    mkdirSync(folder, { recursive: true });
    return new DatabaseSync(join(folder, "primary.lock"), { timeout: 0 });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`DATA_DIR ${folder} cannot be used (${reason}). Name a folder that this user can write to.`, {
      cause: error,
    });
  }
}
