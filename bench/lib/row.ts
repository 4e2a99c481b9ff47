/**
 * The types of the bench: a question measures figures, and each figure is one row. A row has its own limit, so that the
 * report and the exit code need not decide what is good. Used by every question and the report.
 */
import type { Processes } from "./processes.ts";

export type Unit =
  | "ms"
  | "µs"
  | "x"
  | "KB"
  | "MB"
  | "%"
  | "/s"
  | "streams"
  | "workers"
  | "requests"
  | "events"
  | "runs"
  | "clients";

export interface Row {
  readonly question: string;
  readonly figure: string;
  readonly unit: Unit;
  readonly measured: number;
  readonly baseline: number | null;
  /** measured / baseline */
  readonly ratio: number | null;
  /** The maximum of `limitOn`; null for a figure that is only shown. */
  readonly limit: number | null;
  readonly limitOn: "measured" | "ratio";
  readonly ok: boolean;
}

export interface Bench {
  /** True: short rounds, and limits that a busy machine with few cores can keep. */
  readonly quick: boolean;
  readonly processes: Processes;
  /** The simulated model that every server of this run talks to. */
  readonly modelUrl: string;
  /** Adds a remark about the present question to the report. */
  readonly note: (text: string) => void;
}

export type Question = (bench: Bench) => Promise<Row[]>;

interface Figure {
  readonly question: string;
  readonly figure: string;
  readonly unit: Unit;
  readonly measured: number;
  readonly baseline?: number;
  readonly maxRatio?: number | undefined;
  readonly max?: number | undefined;
}

export function row({ question, figure, unit, measured, baseline, maxRatio, max }: Figure): Row {
  const ratio = baseline === undefined ? null : measured / baseline;
  const limit = maxRatio ?? max ?? null;
  const judged = maxRatio === undefined ? measured : (ratio ?? Number.NaN);
  return {
    question,
    figure,
    unit,
    measured,
    baseline: baseline ?? null,
    ratio,
    limit,
    limitOn: maxRatio === undefined ? "measured" : "ratio",
    // Written so that NaN, the result of an empty measurement, misses its limit.
    ok: limit === null || judged <= limit,
  };
}
