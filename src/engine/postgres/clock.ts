/**
 * The clocks of this driver. A run and a thread show the time of day of the process that made them. All durations from
 * then on are measured by the database's clock, whatever process ends the run, so they are never negative.
 *
 * Leases go by a count of milliseconds in the database. `tick`, which the upkeep of every machine calls each second,
 * moves it on by the time since the last tick of any machine, but by two seconds at most, and not at all after a pause
 * of more than PAUSE_MS. So no lease runs out while nobody could write, or because somebody set the database's clock. A
 * machine that was silent for MACHINE_SILENT_MS of that count is dead: the first machine that takes its row hands its
 * runs back. If the silent machine lives after all, its writes fail on their fences, and it takes new runs.
 */
import type { Queryable } from "./database.ts";

/** For SQL: the clock that leases are compared with. */
export const LEASE_CLOCK = "(SELECT ms FROM lease_clock)";

/** For SQL: milliseconds since the epoch. */
export const NOW = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/** For SQL, in a row of `runs`: the time of day that the run shows for this moment, counted from the run's creation. */
export const RUN_TIME = `created_at + greatest(0, ${NOW} - created_clock)`;

/** For SQL, in a queued row of `runs`: whether it has waited for its first owner for longer than its client wanted. */
export const IS_OVERDUE = `(queue_ms IS NOT NULL AND attempts = 0 AND created_clock + queue_ms < ${NOW})`;

const TICK_MS = 1_000;
const MAX_TICK_MS = 2_000;
/** After a longer pause, nobody could write or no machine was up: the pause does not count. */
const PAUSE_MS = 5_000;
const MACHINE_SILENT_MS = 5_000;

export interface Machine {
  readonly machine: string;
  readonly boot: string;
}

const SINCE_TICK = "ceil(extract(epoch FROM clock_timestamp() - ticked_at) * 1000)";

/** Of two machines that tick at once, the second waits for the first, and then finds that no time has passed. */
const TICK =
  `UPDATE lease_clock SET ms = ms + CASE WHEN ${SINCE_TICK} > ${PAUSE_MS} THEN 0 ELSE least(${MAX_TICK_MS}, greatest(0, ${SINCE_TICK})) END::bigint, ` +
  "ticked_at = clock_timestamp()";

const SEEN =
  `INSERT INTO machines (id, boot, seen) VALUES ($1, $2, ${LEASE_CLOCK}) ` +
  "ON CONFLICT (id) DO UPDATE SET boot = excluded.boot, seen = excluded.seen";

export async function tick(db: Queryable, machine: Machine | undefined): Promise<void> {
  await db.query(TICK);
  if (machine) await db.query(SEEN, [machine.machine, machine.boot]);
}

/**
 * Ticks each second while `work` is under way, however long `work` takes, because a machine that is silent counts as
 * dead.
 * @returns what `work` returns
 */
export async function ticking<T>(db: Queryable, machine: Machine | undefined, work: () => Promise<T>): Promise<T> {
  let under: Promise<void> | undefined;
  const again = () => {
    // A tick that fails is tried again; the next round reports the failure.
    under ??= tick(db, machine)
      .catch(() => {})
      .finally(() => (under = undefined));
  };
  const timer = setInterval(again, TICK_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    await under;
  }
}

export interface SilentMachine {
  readonly id: string;
  /** The time at which a caller took the machine, by the lease clock. */
  readonly seen: number;
}

/**
 * Takes the dead machines, each for one caller only: to all other callers the machine seems to have been heard of just
 * now. If the caller dies, too, the next one takes the machine when it has been silent for as long again.
 * @param except the caller's own machine
 */
export function takeSilent(db: Queryable, except = ""): Promise<SilentMachine[]> {
  return db.query<SilentMachine>(
    `WITH silent AS (SELECT id FROM machines WHERE seen < ${LEASE_CLOCK} - ${MACHINE_SILENT_MS} AND id <> $1 ` +
      `FOR UPDATE SKIP LOCKED) UPDATE machines SET seen = ${LEASE_CLOCK} FROM silent WHERE machines.id = silent.id ` +
      "RETURNING machines.id, seen",
    [except],
  );
}

/** Does nothing if the machine has been heard of again. */
export async function forgetMachine(db: Queryable, { id, seen }: SilentMachine): Promise<void> {
  await db.query("DELETE FROM machines WHERE id = $1 AND seen = $2", [id, seen]);
}
