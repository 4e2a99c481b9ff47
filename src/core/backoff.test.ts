import { expect, test } from "vitest";
import { backoffMs } from "./backoff.ts";

const OPTIONS = { firstMs: 100, maxMs: 30_000 };
const NEARLY_ONE = 1 - Number.EPSILON;

test("the wait doubles with each failure up to its maximum", () => {
  const longest = [1, 2, 3, 4, 9, 10, 11].map((failures) => backoffMs(failures, OPTIONS, NEARLY_ONE));

  expect(longest).toEqual([100, 200, 400, 800, 25_600, 30_000, 30_000]);
});

test("half of the wait is fixed, so that nobody tries again at once", () => {
  const shortest = [1, 2, 3, 10].map((failures) => backoffMs(failures, OPTIONS, 0));

  expect(shortest).toEqual([50, 100, 200, 15_000]);
});

test("the other half is spread evenly", () => {
  expect([0, 0.25, 0.5, 0.75].map((random) => backoffMs(1, OPTIONS, random))).toEqual([50, 63, 75, 88]);
});

test("no number of failures takes the wait out of its bounds", () => {
  for (const failures of [1, 31, 32, 1_100, Number.MAX_SAFE_INTEGER]) {
    const waitMs = backoffMs(failures, OPTIONS);
    expect(waitMs).toBeGreaterThanOrEqual(50);
    expect(waitMs).toBeLessThanOrEqual(30_000);
  }
});

test("without randomness given, waiters spread out", () => {
  const waits = new Set(Array.from({ length: 100 }, () => backoffMs(10, OPTIONS)));

  expect(waits.size).toBeGreaterThan(50);
});
