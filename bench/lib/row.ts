/**
 * The words of the bench: a question measures figures, each figure is one row. A row carries its own limit,
 * so that the report and the exit code never decide what is good. Used by every question and the report.
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
  /** The most that `limitOn` may be; null for a figure that is shown and not judged. */
  readonly limit: number | null;
  readonly limitOn: "measured" | "ratio";
  readonly ok: boolean;
}

export interface Bench {
  /** Short rounds, and limits that a busy machine with few cores keeps. */
  readonly quick: boolean;
  readonly processes: Processes;
  /** The simulated model that every server of this run talks to. */
  readonly modelUrl: string;
  /** Something the reader of the report has to know about the question that is being measured. */
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
    // Written so that NaN, which is what a measurement of nothing gives, misses its limit.
    ok: limit === null || judged <= limit,
  };
}
