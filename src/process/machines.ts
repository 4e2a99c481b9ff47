/**
 * The machines that share a storage, as one of them shows all: its own processes as they are, those of the others as
 * they reported them last. Pure. `Bulletin` makes snapshots of it, `machine-reports.ts` carries the reports.
 */
import { MACHINE_REPORT, type Machine, type MachineReport } from "../api/system.ts";
import { REPORT_KEPT_MS } from "../core/limits.ts";
import type { OwnAdvice, OwnProcess, Snapshot } from "./protocol.ts";

export interface OwnMachine {
  readonly machine: string;
  readonly version: string;
}

export interface OtherMachine extends MachineReport {
  readonly machine: string;
  /** When it reported, by this process's monotonic clock. */
  readonly reportedAt: number;
}

/** Further processes of a machine are left out of its report. */
const MAX_REPORTED_PROCESSES = 64;
const PACE_MS = 2_000;
/** With many machines each reports less often: all machines together read at most ten times as many rows a second. */
const PACE_MS_PER_MACHINE = 100;
/** A machine that missed this many reports is silent. */
const MISSED = 3;

/** How long after its last report a machine reports again. @param machines all machines that are known */
export function paceOf(machines: number): number {
  return Math.max(PACE_MS, machines * PACE_MS_PER_MACHINE);
}

/** What a machine tells the others. Leaves out the gauges of single API keys: there may be hundreds. */
export function reportOf(
  { version }: OwnMachine,
  processes: readonly OwnProcess[],
  advice: readonly OwnAdvice[],
): string {
  const reported = processes.slice(0, MAX_REPORTED_PROCESSES).map((process) => ({
    ...process,
    gauges: Object.fromEntries(Object.entries(process.gauges).filter(([name]) => !name.includes(":"))),
  }));
  return JSON.stringify({ version, processes: reported, advice } satisfies MachineReport);
}

/** A report of a version that reports otherwise shows its machine, and no process. */
export function readReport(report: string): MachineReport {
  const { data } = MACHINE_REPORT.safeParse(parsed(report));
  return data ?? { version: "unknown", processes: [], advice: [] };
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

export interface AllMachines {
  readonly own: OwnMachine;
  readonly processes: readonly OwnProcess[];
  readonly advice: readonly OwnAdvice[];
  readonly others: readonly OtherMachine[];
  /** By this process's monotonic clock. */
  readonly now: number;
}

/** Processes of a silent machine are left out, because nobody knows how they are. */
export function showMachines(all: AllMachines): Pick<Snapshot, "machine" | "machines" | "processes" | "advice"> {
  const { own, now } = all;
  const silentMs = MISSED * paceOf(all.others.length + 1);
  const others = all.others
    .map((other) => ({ ...other, ageMs: Math.max(0, Math.round(now - other.reportedAt)) }))
    .filter(({ ageMs }) => ageMs < REPORT_KEPT_MS);
  const live = [
    { ...own, processes: all.processes, advice: all.advice },
    ...others.filter(({ ageMs }) => ageMs < silentMs),
  ];
  const shown = others.map(({ machine, version, ageMs }): Machine => {
    return { machine, version, state: ageMs < silentMs ? "live" : "silent", age_ms: ageMs };
  });
  return {
    machine: own.machine,
    machines: [{ ...own, state: "live", age_ms: 0 }, ...shown],
    processes: live.flatMap(({ machine, processes }) => processes.map((process) => ({ ...process, machine }))),
    advice: live.flatMap(({ machine, advice }) => advice.map((one) => ({ ...one, machine }))),
  };
}
