/**
 * One primary per data directory. The lock is SQLite's own file lock: the kernel drops it with the
 * process, however that ends, so that a `kill -9` never leaves a stale lock file behind.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

export interface Lock {
  release(): void;
}

/** @returns undefined when another process holds it */
export function lockFolder(folder: string): Lock | undefined {
  mkdirSync(folder, { recursive: true });
  const db = new DatabaseSync(join(folder, "primary.lock"), { timeout: 0 });
  try {
    db.exec("BEGIN EXCLUSIVE");
  } catch {
    db.close();
    return undefined;
  }
  return { release: () => db.isOpen && db.close() };
}
