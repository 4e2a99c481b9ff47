import { expect, test } from "vitest";
import { NO_USAGE } from "../../core/run.ts";
import { costOf, dollars, knownUsage } from "./cost.ts";

const usage = {
  input_tokens: 1_000_000,
  output_tokens: 100_000,
  cache_read_input_tokens: 2_000_000,
  cache_creation_input_tokens: 10_000,
};

test("each kind of token has its own price", () => {
  expect(costOf(usage, { input: 3, output: 15, cache_read: 0.3, cache_write: 3.75 })).toBeCloseTo(
    3 + 1.5 + 0.6 + 0.0375,
  );
});

test("without a price nothing is known; nothing used costs nothing", () => {
  expect(costOf(usage, undefined)).toBeUndefined();
  expect(costOf(NO_USAGE, { input: 1, output: 1, cache_read: 1, cache_write: 1 })).toBe(0);
});

test("usage is known when the run is over and the model told it", () => {
  expect(knownUsage("running", usage)).toBeNull();
  expect(knownUsage("canceled", NO_USAGE)).toBeNull();
  expect(knownUsage("canceled", usage)).toBe(usage);
});

test("small amounts keep their digits", () => {
  expect([0, 0.00001, 0.00234, 0.5, 12.3].map(dollars)).toEqual(["$0", "<$0.0001", "$0.0023", "$0.5000", "$12.30"]);
});
