import { availableParallelism } from "node:os";
import { expect, test } from "vitest";
import { availableCores, coresOf } from "./cores.ts";

test.each<[string, number | undefined]>([
  ["max 100000\n", undefined],
  ["200000 100000\n", 2],
  ["50000 100000\n", 0.5],
  ["150000 100000", 1.5],
  ["100000 0\n", undefined],
  ["", undefined],
  ["nonsense\n", undefined],
])("cpu.max %j is %s cores", (text, expected) => {
  expect(coresOf(text)).toBe(expected);
});

test("there is at least one core, and never more than the system says", () => {
  expect(availableCores()).toBeGreaterThanOrEqual(1);
  expect(availableCores()).toBeLessThanOrEqual(availableParallelism());
});
