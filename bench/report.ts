/** The answers as a table in the terminal and as JSON. Shows what was measured and computes nothing. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { Machine } from "./lib/machine.ts";
import type { Row } from "./lib/row.ts";

export interface Answer {
  readonly question: string;
  readonly rows: readonly Row[];
  readonly notes: readonly string[];
  readonly seconds: number;
  /** Why there are no rows. */
  readonly error: string | null;
}

export interface Report {
  readonly machine: Machine;
  readonly quick: boolean;
  readonly seconds: number;
  readonly answers: readonly Answer[];
}

const RESULTS = join(import.meta.dirname, "results");
const COLUMNS = ["question", "figure", "measured", "baseline", "ratio", "limit", ""];
const NUMBERS_FROM = 2;

/** One line for a person who watches the bench. */
export function describe({ question, rows, seconds, error }: Answer): string {
  const missed = rows.filter(({ ok }) => !ok).length;
  const outcome = error ?? (missed === 0 ? `${rows.length} figures` : `${missed} of ${rows.length} figures missed`);
  return `${question.padEnd(12)} ${seconds.toFixed(1).padStart(6)} s  ${outcome}\n`;
}

export function printTable({ machine, quick, seconds, answers }: Report): void {
  const lines = [COLUMNS, ...answers.flatMap(({ rows }) => rows.map(cells))];
  const widths = COLUMNS.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const text = lines.map((line) =>
    line
      .map((cell, column) => align(cell, column, widths))
      .join("  ")
      .trimEnd(),
  );
  const notes = answers.flatMap((answer) => answer.notes.map((note) => `${answer.question}: ${note}`));
  const { cpu, cores, memoryGb, node, load, date } = machine;
  process.stdout.write(
    `\n${text.join("\n")}\n\n${notes.join("\n")}\n\n${cpu}, ${cores} cores, ${memoryGb} GB, node ${node}, load ${load}, ${date}\n` +
      `${quick ? "quick" : "full"} run, ${seconds.toFixed(1)} s\n`,
  );
}

/** @returns the path of the file */
export function writeJson(report: Report): string {
  return writeResult("json", `${JSON.stringify(report, null, 2)}\n`);
}

export function writeResult(extension: string, text: string): string {
  mkdirSync(RESULTS, { recursive: true });
  const file = join(RESULTS, `bench.${extension}`);
  writeFileSync(file, text);
  return relative(process.cwd(), file);
}

export function cells({ question, figure, unit, measured, baseline, ratio, limit, limitOn, ok }: Row): string[] {
  const limitUnit = limitOn === "ratio" ? "x" : unit;
  return [
    question,
    figure,
    amount(measured, unit),
    baseline === null ? "" : amount(baseline, unit),
    ratio === null ? "" : `${short(ratio)}x`,
    limit === null ? "" : `≤ ${limitUnit === "x" ? `${short(limit)}x` : amount(limit, unit)}`,
    limit === null ? "" : ok ? "ok" : "MISSED",
  ];
}

export function amount(value: number, unit: string): string {
  return `${short(value)} ${unit}`;
}

/** Rounded to three digits, because a measurement on a shared machine is not more exact. */
function short(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(3)));
}

function align(cell: string, column: number, widths: readonly number[]): string {
  const width = widths[column] ?? 0;
  return column >= NUMBERS_FROM && column < COLUMNS.length - 1 ? cell.padStart(width) : cell.padEnd(width);
}
