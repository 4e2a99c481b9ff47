/**
 * The machines that share a storage, as one of them shows all: its own processes as they are, those of the others as
 * they reported them last. Pure. `Bulletin` makes snapshots of it, `machine-reports.ts` carries the reports.
 */
import { z } from "zod";
import { MACHINE_REPORT, type Machine, type MachineReport, type ReportedMark } from "../api/system.ts";
import { HISTORY_MS, MAX_MARKS, MAX_REPORTED_MARKS, REPORT_KEPT_MS } from "../core/limits.ts";
import { NO_PROCESS } from "./no-vitals.ts";
import type { Mark, OwnAdvice, OwnMark, OwnProcess, Snapshot } from "./protocol.ts";

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

/** What a machine shows of itself. */
export interface Own {
  readonly own: OwnMachine;
  readonly processes: readonly OwnProcess[];
  readonly advice: readonly OwnAdvice[];
  readonly marks: readonly OwnMark[];
  /** Epoch ms, by this machine's clock. */
  readonly at: number;
}

/** What a machine tells the others. Leaves out the gauges of single API keys: there may be hundreds. */
export function reportOf({ own: { version }, processes, advice, marks, at }: Own): string {
  const reported = processes.slice(0, MAX_REPORTED_PROCESSES).map((process) => ({
    ...process,
    gauges: Object.fromEntries(Object.entries(process.gauges).filter(([name]) => !name.includes(":"))),
  }));
  const dated = marks
    .slice(-MAX_REPORTED_MARKS)
    .map(({ at: markedAt, ...mark }) => ({ ...mark, age_ms: at - markedAt }));
  return JSON.stringify({ version, processes: reported, advice, marks: dated } satisfies MachineReport);
}

const { processes: PROCESSES, advice: ADVICE, marks: MARKS } = MACHINE_REPORT.shape;
const PARTS = z.object({
  version: z.string().catch("unknown"),
  processes: z.array(z.looseObject({})).catch([]),
  advice: z.array(z.unknown()).catch([]),
  marks: z.array(z.unknown()).catch([]),
});

/**
 * Machines of two versions may share a storage. What an older version does not report is filled in; what a newer one
 * reports in a way that we do not know is left out, and the rest is shown.
 */
export function readReport(report: string): MachineReport {
  const { data } = PARTS.safeParse(parsed(report));
  const { version, processes, advice, marks } = data ?? { version: "unknown", processes: [], advice: [], marks: [] };
  return {
    version,
    processes: known(
      PROCESSES.unwrap().element,
      processes.map((process) => ({ ...NO_PROCESS, ...process })),
    ),
    advice: known(ADVICE.unwrap().element, advice),
    marks: known(MARKS.unwrap().element, marks).slice(-MAX_REPORTED_MARKS),
  };
}

function known<T extends z.ZodType>(schema: T, values: readonly unknown[]): z.output<T>[] {
  return values.flatMap((value) => {
    const { success, data } = schema.safeParse(value);
    return success ? [data] : [];
  });
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

export interface AllMachines extends Own {
  readonly others: readonly OtherMachine[];
  /** By this process's monotonic clock. */
  readonly now: number;
}

/**
 * Processes of a silent machine are left out, because nobody knows how they are. Its marks are shown: they say what
 * happened before.
 */
export function showMachines(all: AllMachines): Omit<Snapshot, "seq" | "at"> {
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
    marks: marksOf(all, others),
    advice: live.flatMap(({ machine, advice }) => advice.map((one) => ({ ...one, machine }))),
  };
}

function marksOf({ own, marks, at }: AllMachines, others: readonly (OtherMachine & { ageMs: number })[]): Mark[] {
  const told = others.flatMap(({ machine, marks: reported, ageMs }) =>
    reported.map((mark) => dated(mark, { machine, at: at - ageMs })),
  );
  const recent = inOrder(told.filter((mark) => mark.at > at - HISTORY_MS)).slice(-MAX_MARKS);
  return inOrder([...marks.map((mark) => ({ ...mark, machine: own.machine })), ...recent]);
}

/** @param reported the machine, and when it reported by our clock */
function dated(
  { age_ms: ageMs, ...mark }: ReportedMark,
  reported: { readonly machine: string; readonly at: number },
): Mark {
  return { ...mark, machine: reported.machine, at: reported.at - ageMs };
}

function inOrder(marks: readonly Mark[]): Mark[] {
  return marks.toSorted((a, b) => a.at - b.at);
}
