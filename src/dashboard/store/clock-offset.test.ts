import { expect, test } from "vitest";
import { ClockOffset } from "./clock-offset.ts";

test("a clock that is ahead is told by how far, whatever the times were delayed by", () => {
  const offset = new ClockOffset();
  const delays = [300_000, 299_000, 40, 3, 250];
  const told = delays.map((delayMs, n) => offset.note(60_000 + n * 1_000, n * 1_000 + delayMs));
  expect(told.slice(2)).toEqual([59_960, 59_997, 59_997]);
});

test("a clock that is set back is followed within five times", () => {
  const offset = new ClockOffset();
  offset.note(10_000, 0);
  const told = [1, 2, 3, 4, 5].map((n) => offset.note(n * 1_000, n * 1_000));
  expect(told).toEqual([10_000, 10_000, 10_000, 10_000, 0]);
});
