/** uPlot as our charts use it: options, colors out of the stylesheet, and the vertical marks. */
import "./locale.ts";
import uPlot from "uplot";
import { KEPT_MS, type Mark } from "../store/history.ts";
import { MARK_COLORS } from "./mark-words.ts";
import type { Line } from "./lines.ts";

export interface PlotOptions {
  readonly host: HTMLElement;
  readonly lines: readonly Line[];
  readonly format: (value: number) => string;
  /** The y axis reaches at least this far, so that noise near zero does not look like mountains. */
  readonly atLeast: number;
  /** Marks, read at every drawing. */
  readonly marks: () => readonly Mark[];
  /** Called with the position of the pointer: an index into the data, and epoch ms; null when the pointer left. */
  readonly onCursor: (at: { index: number; time: number } | null) => void;
}

export const CHART_HEIGHT = 148;
/** The first length of the x axis, which grows with the data. */
const SHORTEST_S = 60;
/**
 * Steps between two labels of the y axis. 2.5 is missing: half a run does not exist, and the label "3" would stand at
 * 2.5.
 */
const STEPS = Array.from({ length: 12 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** (power - 1))).flat();
/** All charts show the same moment under the pointer. */
const SYNC = "overview";
/** The width of a mark's flag: of marks that stand closer, one is drawn. */
const MARK_SPACING = 8;
const AXIS_FONT = "11px ui-sans-serif, system-ui, sans-serif";

export function createPlot(options: PlotOptions): uPlot {
  const { host, lines } = options;
  const paint = colorsOf(host);
  const series = lines.map(({ label, color, minor = false }) => ({
    label,
    stroke: paint(`--chart-${color}`),
    width: minor ? 1 : 1.5,
    ...(minor && { dash: [3, 3] }),
    points: { show: false },
  }));
  return new uPlot(
    {
      width: Math.max(host.clientWidth, 100),
      height: CHART_HEIGHT,
      legend: { show: false },
      padding: [10, 4, 0, 0],
      series: [{}, ...series],
      scales: {
        x: {
          time: true,
          range: (_plot, min, max) => [Math.min(max - SHORTEST_S, Math.max(min, max - KEPT_MS / 1_000)), max],
        },
        y: { range: (_plot, _min, max) => [0, Math.max(options.atLeast, max) * 1.08] },
      },
      axes: axes(options, paint),
      cursor: {
        sync: { key: SYNC, setSeries: false },
        drag: { x: false, y: false },
        y: false,
        points: { size: 5 },
      },
      hooks: {
        draw: [(plot) => drawMarks(plot, options.marks(), paint)],
        setCursor: [(plot) => options.onCursor(cursorOf(plot))],
      },
    },
    dataOf([], lines),
    host,
  );
}

export function dataOf(times: readonly number[], lines: readonly Line[]): uPlot.AlignedData {
  return [[...times], ...lines.map(({ values }) => values)];
}

function axes({ format }: PlotOptions, paint: (name: string) => string): uPlot.Axis[] {
  const shared = {
    stroke: paint("--text-mute"),
    font: AXIS_FONT,
    grid: { stroke: paint("--chart-grid"), width: 1 },
    ticks: { show: false },
  };
  return [
    {
      ...shared,
      size: 22,
      gap: 4,
      space: 70,
      grid: { show: false },
      values: (plot, splits) => splits.map((split) => sinceEnd(split, plot.scales["x"]?.max ?? split)),
      splits: (...[, , min, max]) => timesBefore(max, max - min),
    },
    {
      ...shared,
      size: 52,
      gap: 6,
      // Three labels at least.
      space: 20,
      incrs: STEPS,
      values: (_plot, splits) => splits.map((split) => format(split).replace(".0 ", " ")),
    },
  ];
}

/** Labels are whole minutes before now (at first, parts of a minute), so they stay in place while the lines move. */
function timesBefore(end: number, spanS: number): number[] {
  const stepS = spanS < 90 ? 15 : spanS < 150 ? 30 : 60;
  // A label at the very edge would cover the labels of the other axis.
  const labels = Math.floor((0.95 * spanS) / stepS);
  return Array.from({ length: labels }, (_, index) => end - (labels - index) * stepS);
}

function sinceEnd(at: number, end: number): string {
  const s = Math.round(end - at);
  return s < 60 ? `−${s} s` : `−${s / 60} min`;
}

function cursorOf(plot: uPlot): { index: number; time: number } | null {
  const { idx, left = -1 } = plot.cursor;
  if (idx === null || idx === undefined || left < 0) return null;
  return { index: idx, time: plot.posToVal(left, "x") * 1_000 };
}

function drawMarks(plot: uPlot, marks: readonly Mark[], paint: (name: string) => string): void {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  ctx.save();
  // By color, where the last line stands: marks of many machines may stand so close that they would hide the lines.
  const drawn = new Map<string, number>();
  for (const { at, type } of marks) {
    const x = Math.round(plot.valToPos(at / 1_000, "x", true)) + 0.5;
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    if (x - (drawn.get(MARK_COLORS[type]) ?? -Infinity) < MARK_SPACING * ratio) continue;
    drawn.set(MARK_COLORS[type], x);
    const color = paint(MARK_COLORS[type]);
    ctx.strokeStyle = color;
    ctx.fillStyle = color;
    ctx.lineWidth = ratio;
    ctx.setLineDash([2 * ratio, 3 * ratio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    drawFlag(ctx, { x, y: bbox.top, size: 4 * ratio });
  }
  ctx.restore();
}

/** A small triangle on top: a dashed line alone is easily taken for grid. */
function drawFlag(ctx: CanvasRenderingContext2D, { x, y, size }: { x: number; y: number; size: number }): void {
  ctx.beginPath();
  ctx.moveTo(x - size, y - size);
  ctx.lineTo(x + size, y - size);
  ctx.lineTo(x, y + size);
  ctx.fill();
}

/**
 * A canvas takes no custom property, and a property that holds light-dark() is read as that text. So set the property
 * on an element and read the color that the browser computes.
 */
function colorsOf(host: HTMLElement): (name: string) => string {
  const probe = document.createElement("span");
  probe.hidden = true;
  host.append(probe);
  const known = new Map<string, string>();
  return (name) => {
    const color = known.get(name);
    if (color !== undefined) return color;
    probe.style.color = `var(${name})`;
    const read = getComputedStyle(probe).color;
    known.set(name, read);
    return read;
  };
}
