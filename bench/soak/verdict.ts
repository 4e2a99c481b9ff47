/** What the samples of a soak say: growth of each process after its warm-up, and the bound of the stored bytes. Pure. */
import type { Sample } from "./samples.ts";

/** The most that a process may grow after its warm-up. */
const LIMIT_MB_AN_HOUR = 1;
/** By how much the stored bytes of the last quarter may exceed those of the second quarter: retention works in both. */
const STORED_FACTOR = 1.1;
const MB = 2 ** 20;

export interface Verdict {
  /** unclear: above the limit by less than the uncertainty of the measurement. */
  readonly is: "ok" | "unclear" | "missed" | "not judged";
  readonly line: string;
}

export function verdicts(samples: readonly Sample[]): Verdict[] {
  const half = samples.slice(Math.floor(samples.length / 2));
  const names = [...new Set(half.flatMap(({ held }) => [...held.keys()]))];
  return [...names.map((name) => growthOf(name, half)), storedOf(samples), effort(samples)];
}

/** Judges all memory of the process; the part of it that is JavaScript's says where to look. */
function growthOf(name: string, samples: readonly Sample[]): Verdict {
  const points = samples.flatMap(({ hours, held }) => {
    const { rssBytes, jsBytes } = held.get(name) ?? {};
    return rssBytes === undefined || jsBytes === undefined ? [] : [{ hours, rssBytes, jsBytes }];
  });
  if (points.length < samples.length / 2) return { is: "not judged", line: `${name}: ${points.length} samples` };
  const { slope, error, mean } = leastSquares(points.map(({ hours, rssBytes }) => ({ x: hours, y: rssBytes / MB })));
  const js = leastSquares(points.map(({ hours, jsBytes }) => ({ x: hours, y: jsBytes / MB })));
  // Two standard errors are an interval of 95 %. Neighbouring samples resemble each other, so the true one is wider.
  const uncertainty = 2 * error;
  const is = slope <= LIMIT_MB_AN_HOUR ? "ok" : slope - uncertainty <= LIMIT_MB_AN_HOUR ? "unclear" : "missed";
  const figures = `${slope.toFixed(2)} ± ${uncertainty.toFixed(2)} MB/h at ${mean.toFixed(0)} MB`;
  const part = `JavaScript ${js.slope.toFixed(2)} ± ${(2 * js.error).toFixed(2)} MB/h at ${js.mean.toFixed(0)} MB`;
  return { is, line: `${name}: ${figures} (≤ ${LIMIT_MB_AN_HOUR} MB/h) ${is}; ${part}` };
}

function storedOf(samples: readonly Sample[]): Verdict {
  const quarter = Math.floor(samples.length / 4);
  const [before, after] = [samples.slice(quarter, 2 * quarter), samples.slice(3 * quarter)].map(
    (part) => Math.max(...part.map(({ storedBytes }) => storedBytes)) / MB,
  ) as [number, number];
  const is = after <= before * STORED_FACTOR ? "ok" : "missed";
  const figures = `${after.toFixed(1)} MB at most in the last quarter, ${before.toFixed(1)} in the second`;
  return { is, line: `stored: ${figures} (≤ ${STORED_FACTOR}×) ${is}` };
}

function effort(samples: readonly Sample[]): Verdict {
  const [first, last] = [samples[0], samples.at(-1)];
  if (!first || !last) return { is: "missed", line: "no samples" };
  const percent = (last.cpuMs - first.cpuMs) / ((last.hours - first.hours) * 36_000);
  const is = last.restarts === 0 ? "ok" : "missed";
  return {
    is,
    line: `replaced processes: ${last.restarts} (0) ${is}; CPU of the tree: ${percent.toFixed(1)} % of a core`,
  };
}

interface Point {
  readonly x: number;
  readonly y: number;
}

/** @returns the line's slope, the slope's standard error, and the mean of y */
export function leastSquares(points: readonly Point[]): { slope: number; error: number; mean: number } {
  const count = points.length;
  const meanX = points.reduce((sum, { x }) => sum + x, 0) / count;
  const mean = points.reduce((sum, { y }) => sum + y, 0) / count;
  const spread = points.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0);
  const slope = points.reduce((sum, { x, y }) => sum + (x - meanX) * (y - mean), 0) / spread;
  const residual = points.reduce((sum, { x, y }) => sum + (y - mean - slope * (x - meanX)) ** 2, 0);
  return { slope, error: Math.sqrt(residual / (count - 2) / spread), mean };
}
