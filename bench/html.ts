/**
 * The report as one page that needs nothing else: a section a question, a chart drawn as SVG, the figures as a
 * table. Follows the reader's light or dark scheme. Called by run.ts; computes nothing but lengths of bars.
 */
import type { Row } from "./lib/row.ts";
import { amount, cells, writeResult, type Answer, type Report } from "./report.ts";

const LABEL_WIDTH = 380;
const BAR_WIDTH = 420;
const VALUE_WIDTH = 110;
const BAR_HEIGHT = 12;
const ROW_GAP = 14;

/** @returns the path of the page */
export function writeHtml(report: Report): string {
  return writeResult("html", page(report));
}

function page({ machine, quick, seconds, answers }: Report): string {
  const { cpu, cores, memoryGb, platform, node, load, date } = machine;
  const missed = answers.flatMap(({ rows }) => rows.filter(({ ok }) => !ok)).length;
  const failed = answers.filter(({ error }) => error !== null).length;
  const verdict =
    missed + failed === 0 ? "Every limit is kept." : `${missed} limits missed, ${failed} questions failed.`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>evenkeel bench</title>
<style>${STYLE}</style>
</head>
<body>
<h1>evenkeel bench</h1>
<p><strong>${verdict}</strong> ${quick ? "Quick run with wide limits" : "Full run"}, ${seconds.toFixed(0)} s.</p>
<p>${escape(cpu)}, ${cores} cores, ${memoryGb} GB, ${platform}, node ${node}, load ${load}, ${date}.
Clients, simulated model and servers share this machine.</p>
<p><span class="key measured"></span> evenkeel <span class="key baseline"></span> baseline <span class="key limit"></span> limit.
Each figure has a scale of its own.</p>
${answers.map(section).join("\n")}
</body>
</html>
`;
}

function section({ question, rows, notes, error }: Answer): string {
  const heading = `<section>\n<h2>${escape(question)}</h2>\n${notes.map((note) => `<p>${escape(note)}</p>`).join("\n")}`;
  if (error !== null) return `${heading}\n<p class="missed">${escape(error)}</p>\n</section>`;
  return `${heading}\n${chart(rows)}\n${table(rows)}\n</section>`;
}

function chart(rows: readonly Row[]): string {
  let top = 0;
  const drawn = rows.map((row) => {
    const { svg, height } = bars(row, scaleOf(row, rows), top);
    top += height + ROW_GAP;
    return svg;
  });
  const width = LABEL_WIDTH + BAR_WIDTH + VALUE_WIDTH;
  return `<svg viewBox="0 0 ${width} ${top}" role="img">${drawn.join("")}</svg>`;
}

function bars(row: Row, scale: number, top: number): { readonly svg: string; readonly height: number } {
  const { figure, unit, measured, baseline } = row;
  const values = [{ value: measured, kind: "measured" }];
  if (baseline !== null) values.push({ value: baseline, kind: "baseline" });
  const height = values.length * BAR_HEIGHT;
  const lengthOf = (value: number) =>
    Number.isFinite(value) && scale > 0 ? Math.max(1, (value / scale) * BAR_WIDTH) : 1;
  const shapes = values.map(({ value, kind }, index) => {
    const y = top + index * BAR_HEIGHT;
    const end = LABEL_WIDTH + lengthOf(value);
    return (
      `<rect class="${kind}" x="${LABEL_WIDTH}" y="${y}" width="${end - LABEL_WIDTH}" height="${BAR_HEIGHT - 2}"/>` +
      `<text class="value" x="${end + 5}" y="${y + BAR_HEIGHT - 3}">${escape(amount(value, unit))}</text>`
    );
  });
  const limit = limitValue(row);
  const at = limit === null ? 0 : LABEL_WIDTH + lengthOf(limit);
  const tick =
    limit === null ? "" : `<line class="limit" x1="${at}" x2="${at}" y1="${top - 3}" y2="${top + height + 1}"/>`;
  const label = `<text class="label${row.ok ? "" : " missed"}" x="${LABEL_WIDTH - 8}" y="${top + height / 2 + 3}">${escape(figure)}</text>`;
  return { svg: `${label}${shapes.join("")}${tick}`, height };
}

/** In the figure's own unit. */
function limitValue({ limit, limitOn, baseline }: Row): number | null {
  if (limit === null || limitOn === "measured") return limit;
  return baseline === null ? null : limit * baseline;
}

/** Bars are compared with figures of the same kind: "WORKERS=1: p99" with the p99 of the others. */
function scaleOf(row: Row, rows: readonly Row[]): number {
  const alone = row.baseline === null && row.limit === null;
  const compared = alone ? rows.filter((other) => nameOf(other) === nameOf(row)) : [row];
  const values = compared.flatMap((one) => [one.measured, one.baseline ?? 0, limitValue(one) ?? 0]);
  return Math.max(...values.filter(Number.isFinite), 0);
}

function nameOf({ figure, unit }: Row): string {
  return `${figure.slice(figure.indexOf(":") + 1)} ${unit}`;
}

function table(rows: readonly Row[]): string {
  const heads = ["figure", "measured", "baseline", "ratio", "limit", ""].map((head) => `<th>${head}</th>`).join("");
  const lines = rows.map((row) => {
    const columns = cells(row).slice(1);
    return `<tr${row.ok ? "" : ' class="missed"'}>${columns.map((cell) => `<td>${escape(cell)}</td>`).join("")}</tr>`;
  });
  return `<details><summary>Figures</summary><table><tr>${heads}</tr>\n${lines.join("\n")}</table></details>`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

const STYLE = `
:root { color-scheme: light dark; --text: #1d2433; --soft: #5b6475; --page: #fbfbfc; --ours: #1f7a8c; --theirs: #c3c9d4; --bad: #c0392b; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6e9ef; --soft: #9aa4b5; --page: #14171d; --ours: #4fb3c6; --theirs: #4a5262; --bad: #ff7b6b; }
}
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
h2 { margin: 2.5rem 0 .3rem; }
section > p { color: var(--soft); margin: .2rem 0 .6rem; }
svg { width: 100%; height: auto; font-size: 11px; overflow: visible; }
svg text { fill: var(--text); }
svg .value { fill: var(--soft); font-size: 10px; }
svg .label { text-anchor: end; }
svg .measured { fill: var(--ours); }
svg .baseline { fill: var(--theirs); }
svg .limit { stroke: var(--bad); stroke-width: 1.5; stroke-dasharray: 3 2; }
svg .label.missed { fill: var(--bad); font-weight: bold; }
.missed { color: var(--bad); }
.key { display: inline-block; width: .9em; height: .7em; margin-left: .6em; }
.key.measured { background: var(--ours); }
.key.baseline { background: var(--theirs); }
.key.limit { width: 0; height: .9em; border-left: 2px dashed var(--bad); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .15rem .7rem; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
`;
