/**
 * Names the process that keeps the write-ahead log from beginning anew: a reader in a transaction that does not end,
 * usually of another program. Called by `checkpoint.ts`; only Linux can name the process.
 */
import { readFileSync, statSync } from "node:fs";

/** Readers lock one of these bytes of the -shm file: https://sqlite.org/walformat.html#wal_locks */
const READ_LOCKS = { from: 123, to: 127 };
/** Titles of the server's own processes, which read only for milliseconds. */
const OURS = /^evenkeel /;
/** `1: POSIX  ADVISORY  READ 4711 08:01:131 124 124` */
const LOCK = /POSIX\s+ADVISORY\s+READ\s+(\d+)\s+\S+:(\d+)\s+(\d+)\s+/;

export interface StuckLog {
  readonly walPath: string;
  readonly bytes: number;
  readonly shmPath: string;
}

/** A line for the log. */
export function describeStuckLog({ walPath, bytes, shmPath }: StuckLog): string {
  const readers = readersOf(shmPath)
    .map((pid) => ({ pid, command: commandOf(pid) }))
    .filter(({ command }) => !OURS.test(command));
  const named = readers.map(({ pid, command }) => `process ${pid} (${command.slice(0, 80)})`);
  const who = named.length > 0 ? `${named.join(", ")} reads` : "somebody reads";
  return (
    `${walPath} has grown to ${Math.round(bytes / 1_000_000)} MB: ${who} the database in a transaction that does not end. ` +
    "End that process; then the file starts again from its beginning and stops growing."
  );
}

function readersOf(shmPath: string): number[] {
  try {
    const { ino } = statSync(shmPath);
    const found = readFileSync("/proc/locks", "utf8")
      .split("\n")
      .flatMap((line) => {
        const [, pid, inode, byte] = (LOCK.exec(line) ?? []).map(Number);
        const isReader = byte !== undefined && byte >= READ_LOCKS.from && byte <= READ_LOCKS.to;
        return isReader && inode === ino && pid !== undefined ? [pid] : [];
      });
    return [...new Set(found)];
  } catch {
    return [];
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
  } catch {
    return "gone";
  }
}
