/**
 * The two clocks of this driver. Neither is the clock on the wall, which somebody may set.
 *
 * Leases go by a count of milliseconds in the database. `tick`, which `maintain` calls every second, moves it on by the
 * time that passed, but by two seconds at most. So no lease runs out while nobody could write (a full disk), nothing
 * ran (a machine that slept, a tree that was stopped) or no server was up: afterwards every owner has as much time left
 * as before.
 *
 * Durations and time limits are measured by `monotonicMs`, the machine's monotonic clock, which all its processes
 * share. It begins anew with each boot of the machine: `RunClock` forgets what an earlier boot measured.
 */
import { readFileSync } from "node:fs";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";
import { busyRetryMs, isBusy } from "./connection.ts";

/** For SQL: the clock that leases are compared with. */
export const LEASE_CLOCK = "(SELECT ms FROM lease_clock)";

/**
 * For SQL, in a row of `runs`: the time of day that the run shows for this moment. It is counted from the run's
 * creation, so that no duration is negative, or longer than the time that passed. Takes `:now` and `:mono`. For a run of
 * an earlier boot it is the wall clock.
 */
export const RUN_TIME = "iif(:mono >= created_mono, created_at + :mono - created_mono, max(:now, created_at))";

/** Twice the interval of `maintain`: in a longer pause other processes may have stood still, too. */
const MAX_TICK_MS = 2_000;
// Writers hold the lock for milliseconds.
const TRIES = 40;

export class LeaseClock {
  readonly #advance: StatementSync;
  #tickedAt = performance.now();

  constructor(db: DatabaseSync) {
    this.#advance = db.prepare("UPDATE lease_clock SET ms = ms + ?");
  }

  /** A lock that stays taken means that the database cannot be written, so the clock stands still. */
  async tick(): Promise<void> {
    const ms = Math.min(MAX_TICK_MS, Math.ceil(this.#sinceTick()));
    for (let tries = 0; tries < TRIES; tries += 1) {
      if (this.#advanced(ms)) return;
      await setTimeout(busyRetryMs());
    }
  }

  /** Writes the clock without moving it. */
  touch(): void {
    this.#advance.run(0);
  }

  /** Called in place of `tick` when no lease could run out; saves a commit. */
  skip(): void {
    this.#sinceTick();
  }

  #advanced(ms: number): boolean {
    try {
      this.#advance.run(ms);
      return true;
    } catch (error) {
      if (isBusy(error)) return false;
      throw error;
    }
  }

  #sinceTick(): number {
    const now = performance.now();
    const elapsed = now - this.#tickedAt;
    this.#tickedAt = now;
    return elapsed;
  }
}

const BOOT_ID_FILE = "/proc/sys/kernel/random/boot_id";

export class RunClock {
  readonly #forget: StatementSync;
  readonly #setBoot: StatementSync;

  constructor(db: DatabaseSync) {
    this.#forget = db.prepare(
      "UPDATE runs SET created_mono = NULL WHERE status IN ('queued', 'running') " +
        "AND (created_mono > :mono OR (SELECT boot FROM lease_clock) IS NOT :boot)",
    );
    this.#setBoot = db.prepare("UPDATE lease_clock SET boot = :boot WHERE boot IS NOT :boot");
  }

  /** Called when a server starts, before it measures the time of any run. */
  begin(): void {
    const boot = bootId();
    this.#forget.run({ mono: monotonicMs(), boot });
    this.#setBoot.run({ boot });
  }
}

/** Null where the kernel does not tell. Then only runs from later in an earlier boot are known to be of another boot. */
function bootId(): string | null {
  try {
    return readFileSync(BOOT_ID_FILE, "utf8").trim();
  } catch {
    return null;
  }
}

/** Starts at 0 when the machine boots. Does not count the time that the machine slept. */
export function monotonicMs(): number {
  return Math.floor(Number(process.hrtime.bigint() / 1_000_000n));
}
