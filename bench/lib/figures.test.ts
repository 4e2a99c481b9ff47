/** The figures of the bench: the statistics, and when a figure is good. */
import { expect, test } from "vitest";
import { row } from "./row.ts";
import { median, percentile, sum } from "./stats.ts";

const HUNDRED = Array.from({ length: 100 }, (_, index) => 100 - index);

test.each([
  [0, 1],
  [50, 51],
  [99, 100],
  [100, 100],
])("of the numbers to 100 the percentile %i is %i", (percent, expected) => {
  expect(percentile(HUNDRED, percent)).toBe(expected);
});

test("the percentile of one value is that value, and of none it is not a number", () => {
  expect([percentile([7], 99), percentile([], 50)]).toEqual([7, Number.NaN]);
});

test.each([
  [[], Number.NaN],
  [[3], 3],
  [[9, 1], 5],
  [[9, 1, 2], 2],
  [[10, 9, 1, 2], 5.5],
])("the median of %j is %d", (values, expected) => {
  expect(median(values)).toBe(expected);
});

test("the sum of nothing is 0", () => {
  expect([sum([]), sum([1, 2, 3.5])]).toEqual([0, 6.5]);
});

const FIGURE = { question: "q", figure: "f", unit: "ms" } as const;

test.each([
  ["below its limit", { measured: 9, max: 10 }, true],
  ["at its limit", { measured: 10, max: 10 }, true],
  ["above its limit", { measured: 11, max: 10 }, false],
  ["that nobody could measure", { measured: Number.NaN, max: 10 }, false],
  ["without a limit", { measured: 1e9 }, true],
  ["at the limit of its ratio, whatever it is itself", { measured: 1_000, baseline: 500, maxRatio: 2 }, true],
  ["above the limit of its ratio", { measured: 11, baseline: 5, maxRatio: 2 }, false],
  ["with a limit of a ratio that nobody could measure", { measured: 1, maxRatio: 2 }, false],
  ["whose baseline is 0", { measured: 1, baseline: 0, maxRatio: 2 }, false],
  ["with both limits: the ratio counts", { measured: 20, baseline: 20, maxRatio: 2, max: 10 }, true],
])("a figure %s: %j is ok: %s", (_, measured, expected) => {
  expect(row({ ...FIGURE, ...measured }).ok).toBe(expected);
});

test("a row says on what its limit is", () => {
  expect(row({ ...FIGURE, measured: 6, baseline: 4, maxRatio: 2 })).toMatchObject({
    ratio: 1.5,
    limit: 2,
    limitOn: "ratio",
  });
  expect(row({ ...FIGURE, measured: 6, max: 7 })).toMatchObject({ ratio: null, limit: 7, limitOn: "measured" });
});
