import { expect, test } from "vitest";
import { ageMs } from "./age.ts";

test.each([
  ["30m", 1_800_000],
  ["12h", 43_200_000],
  ["90d", 7_776_000_000],
  ["forever", undefined],
])("%s is a time", (text, ms) => {
  expect(ageMs(text)).toBe(ms);
});

test.each(["", "0d", "-1d", "1", "1w", "1.5h", "1 d", "1D", "never", "9999999d"])("%j is none", (text) => {
  expect(ageMs(text)).toBeNaN();
});
