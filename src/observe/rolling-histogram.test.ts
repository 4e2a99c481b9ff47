import { expect, test } from "vitest";
import { RollingHistogram } from "./rolling-histogram.ts";

function makeHistogram() {
  let now = 1_000;
  const histogram = new RollingHistogram(() => now);
  return { histogram, pass: (ms: number) => (now += ms) };
}

test("percentiles are told in milliseconds, to two figures", () => {
  const { histogram } = makeHistogram();

  for (let ms = 1; ms <= 100; ms += 1) histogram.record(ms);

  expect(histogram.percentile(50)).toBeCloseTo(50, 0);
  expect(histogram.percentile(99)).toBeCloseTo(99, 0);
  expect(histogram.read("health")).toEqual({
    health_p50_ms: histogram.percentile(50),
    health_p99_ms: histogram.percentile(99),
    health_samples: 100,
  });
});

test("nothing recorded is nothing to tell, not zero", () => {
  const { histogram } = makeHistogram();

  expect(histogram.percentile(99)).toBeUndefined();
  expect(histogram.read("health")).toEqual({});
});

test("a duration is seen for five seconds at least and ten at most", () => {
  const { histogram, pass } = makeHistogram();
  pass(4_999);
  histogram.record(40);

  pass(5_000);
  expect(histogram.percentile(50)).toBeCloseTo(40, 0);
  pass(5_000);
  expect(histogram.percentile(50)).toBeUndefined();
});

test("after a silence of two windows nothing old comes back", () => {
  const { histogram, pass } = makeHistogram();
  histogram.record(40);

  pass(60_000);

  expect(histogram.percentile(50)).toBeUndefined();
});

test("what is shorter than a microsecond or longer than ten minutes still counts", () => {
  const { histogram } = makeHistogram();

  histogram.record(0);
  histogram.record(-1);
  histogram.record(3_600_000);

  expect(histogram.percentile(50)).toBeLessThan(0.01);
  expect(histogram.percentile(99)).toBeGreaterThan(590_000);
});
