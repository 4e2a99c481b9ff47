import { expect, test } from "vitest";
import { ago, bytes, clockTime, count, duration, percent, seconds, shortId } from "./format.ts";

test.each([
  [0, "0 ms"],
  [0.42, "0.4 ms"],
  [9.94, "9.9 ms"],
  [9.96, "10 ms"],
  [12.3, "12 ms"],
  [999.4, "999 ms"],
  [999.6, "1.0 s"],
  [1_840, "1.8 s"],
  [9_960, "10 s"],
  [75_000, "1 min 15 s"],
  [Number.NaN, "–"],
])("a duration of %d ms reads %s", (ms, text) => {
  expect(duration(ms)).toBe(text);
});

test.each([
  [-1, "0 s"],
  [8.9, "8 s"],
  [60, "1 min"],
  [3_599, "59 min 59 s"],
  [7_300, "2 h 1 min"],
  [200_000, "2 d 7 h"],
])("%d seconds read %s", (total, text) => {
  expect(seconds(total)).toBe(text);
});

test.each([
  [0, "now"],
  [8_000, "8 s ago"],
  [59_400, "59 s ago"],
  [180_000, "3 min ago"],
  [7_200_000, "2 h ago"],
  [-5_000, "now"],
])("%d ms earlier is %s, and a clock that runs ahead is no future", (ms, text) => {
  expect(ago(1_000_000_000 - ms, 1_000_000_000)).toBe(text);
});

test.each([
  [0, "0"],
  [950.4, "950"],
  [9_999, "9,999"],
  [12_345, "12.3 k"],
  [3_400_000, "3.4 M"],
])("a count of %d reads %s", (value, text) => {
  expect(count(value)).toBe(text);
});

test.each([
  [0, "0 B"],
  [1_023, "1,023 B"],
  [1_536, "1.5 KiB"],
  [67_108_864, "64 MiB"],
  [2 ** 60, "1,048,576 TiB"],
])("%d bytes read %s", (value, text) => {
  expect(bytes(value)).toBe(text);
});

test("a time of today has no date, another has", () => {
  const noon = new Date(2026, 4, 6, 12, 3, 7).getTime();

  expect(clockTime(noon, noon + 1_000)).toBe("12:03:07");
  expect(clockTime(noon, noon + 86_400_000)).toBe("2026-05-06 12:03:07");
});

test.each([
  ["run_0123456789abcdefghij", "run_0123…ghij"],
  ["run_short", "run_short"],
  ["mine", "mine"],
  ["tool-calls-of-the-night-run-1", "tool-calls-of-the-night-run-1"],
  ["nightly_import_0123456789_customer_17", "nightly_import_0…789_customer_17"],
])("the id %s is shown as %s", (id, text) => {
  expect(shortId(id)).toBe(text);
});

test("percent has no digits behind the point", () => {
  expect(percent(12.6)).toBe("13 %");
});
