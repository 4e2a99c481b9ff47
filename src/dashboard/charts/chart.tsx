/** One live chart: title, legend with the values under the pointer (or the newest), lines and marks. */
import "./chart.css";
import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type uPlot from "uplot";
import { ago } from "../ui/format.ts";
import type { Mark } from "../store/history.ts";
import { latest, processHistory } from "../store/processes.ts";
import { repaint } from "../store/theme.ts";
import { chosenProcess } from "./chosen.ts";
import type { Line, Lines } from "./lines.ts";
import { subjectOf, whatHappened } from "./mark-words.ts";
import { createPlot, dataOf } from "./plot.ts";

export interface ChartProps {
  readonly title: string;
  /** One sentence for newcomers: what the chart shows, and in which unit. */
  readonly about: string;
  readonly lines: Lines;
  readonly format: (value: number) => string;
  readonly atLeast: number;
  /** Text for a chart whose lines have no value, with the reason if one is known. */
  readonly nothing?: string;
}

/** How near the pointer has to be to a mark to show its text. */
const MARK_REACH_MS = 3_000;

export function Chart({ title, about, lines: linesOf, format, atLeast, nothing = "No figures yet" }: ChartProps) {
  const host = useRef<HTMLDivElement>(null);
  const pointer = useSignal<{ index: number; time: number } | null>(null);
  const version = latest.value;
  const chosen = chosenProcess.value;
  // The history is one object, whose content changes with the newest snapshot; a moving pointer changes nothing in it.
  const [times, lines] = useMemo(
    () => [processHistory.times(), linesOf(processHistory, chosen)] as const,
    [version, chosen],
  );
  const shape = lines.map(({ label, color }) => `${label} ${color}`).join();
  usePlot(host, {
    key: `${shape} ${repaint.value}`,
    create: (element) =>
      createPlot({
        host: element,
        lines,
        format,
        atLeast,
        marks: () => processHistory.marks,
        onCursor: (at) => (pointer.value = at?.time === pointer.peek()?.time ? pointer.peek() : at),
      }),
    data: () => dataOf(times, lines),
    version,
  });

  const at = pointer.value?.index ?? times.length - 1;
  const marks = pointer.value ? nearest(processHistory.marks, pointer.value.time) : [];
  return (
    <section class="card chart">
      <div class="card-head">
        <h2 title={about}>{title}</h2>
        <p class="chart-moment">
          {marks.length > 0 ? <MarkWords marks={marks} /> : pointer.value && agoWords(times, at)}
        </p>
      </div>
      <Legend lines={lines} at={at} format={format} />
      <div class="chart-plot" ref={host} role="img" aria-label={`${title}, last five minutes: ${about}`} />
      {version && isEmpty(lines) && <p class="chart-nothing">{nothing}</p>}
    </section>
  );
}

function Legend({ lines, at, format }: { lines: readonly Line[]; at: number; format: (value: number) => string }) {
  return (
    <ul class="legend">
      {lines.map(({ label, color, minor, values }) => (
        <li key={label + color} class={`legend-${color}${minor ? " legend-minor" : ""}`}>
          {label} <span class="legend-value">{valueAt(values, at, format)}</span>
        </li>
      ))}
    </ul>
  );
}

/** The nearest mark, and how many others are as near: marks of many machines may stand at one moment. */
function MarkWords({ marks }: { marks: readonly Mark[] }) {
  const [mark] = marks;
  const snapshot = latest.value;
  if (!mark || !snapshot) return null;
  return (
    <span class={`mark-${mark.type}`}>
      {marks.length > 1 && `(+${marks.length - 1}) `}
      {subjectOf(mark, snapshot)} {whatHappened(mark)}
    </span>
  );
}

interface PlotUse {
  /** The plot is created again when this value changes. */
  readonly key: string;
  readonly create: (host: HTMLElement) => uPlot;
  readonly data: () => uPlot.AlignedData;
  /**
   * The data are set only when this value changes: setting them moves the cursor, which renders this component again.
   */
  readonly version: unknown;
}

function usePlot(host: { readonly current: HTMLElement | null }, { key, create, data, version }: PlotUse): void {
  const plot = useRef<uPlot | null>(null);
  useEffect(() => {
    const element = host.current;
    if (!element) return undefined;
    const made = create(element);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: made.height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      element.replaceChildren();
      plot.current = null;
    };
  }, [key]);
  useEffect(() => {
    // A hidden page is not drawn; the first snapshot after it becomes visible draws everything.
    if (!document.hidden) plot.current?.setData(data());
  }, [key, version]);
}

function agoWords(times: readonly number[], at: number): string {
  return ago((times[at] ?? 0) * 1_000, (times.at(-1) ?? 0) * 1_000);
}

function valueAt(values: Line["values"], at: number, format: (value: number) => string): string {
  const value = values[at];
  return value === null || value === undefined ? "–" : format(value);
}

function isEmpty(lines: readonly Line[]): boolean {
  return lines.every(({ values }) => values.every((value) => value === null));
}

/** The nearest first. */
function nearest(marks: readonly Mark[], time: number): readonly Mark[] {
  return marks
    .filter(({ at }) => Math.abs(at - time) < MARK_REACH_MS)
    .toSorted((a, b) => Math.abs(a.at - time) - Math.abs(b.at - time));
}
