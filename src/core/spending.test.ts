import { expect, test } from "vitest";
import { dollarsOf, judgeBudget, NOTHING, SCOPES, UNITS, type Standing } from "./spending.ts";

const CAP = 100;

function standing(unit: "tokens" | "dollars", [spent, reserved]: readonly [number, number]): Standing {
  return { spent: { ...NOTHING.spent, [unit]: spent }, reserved: { ...NOTHING.reserved, [unit]: reserved } };
}

const EMPTY = { run: NOTHING, day: NOTHING, principalDay: NOTHING, allAgentsDay: NOTHING };

test.each([
  { spent: 0, reserved: 0, is: "within" },
  { spent: 99, reserved: 0, is: "within" },
  { spent: 100, reserved: 0, is: "met" },
  { spent: 101, reserved: 0, is: "met" },
  { spent: 60, reserved: 39, is: "within" },
  { spent: 60, reserved: 40, is: "reserved" },
  { spent: 0, reserved: 100, is: "reserved" },
  { spent: 100, reserved: 50, is: "met" },
] as const)(
  "of a budget of 100, $spent spent and $reserved reserved are $is, in each scope and unit",
  ({ spent, reserved, is }) => {
    for (const scope of SCOPES)
      for (const unit of UNITS) {
        const judged = judgeBudget(
          { [scope]: { [unit]: CAP } },
          { ...EMPTY, [scope]: standing(unit, [spent, reserved]) },
        );
        const details = { within: {}, reserved: { scope }, met: { scope, unit, cap: CAP } }[is];
        expect(judged).toEqual({ is, ...details });
      }
  },
);

test("a budget that is met counts before one that is reserved, in any order", () => {
  const budget = { run: { tokens: CAP }, day: { tokens: CAP } };
  const [met, reserved] = [standing("tokens", [100, 0]), standing("tokens", [0, 100])];

  expect(judgeBudget(budget, { ...EMPTY, run: reserved, day: met })).toMatchObject({ is: "met", scope: "day" });
  expect(judgeBudget(budget, { ...EMPTY, run: met, day: reserved })).toMatchObject({ is: "met", scope: "run" });
});

test("a unit without a limit is not judged", () => {
  const much = { ...EMPTY, day: standing("tokens", [1_000_000, 0]) };

  expect(judgeBudget({ day: { dollars: 1 }, run: { tokens: 1 } }, much)).toEqual({ is: "within" });
});

test("each kind of token has its own price, by the million", () => {
  const usage = {
    input_tokens: 1_000_000,
    output_tokens: 2_000_000,
    cache_read_input_tokens: 3_000_000,
    cache_creation_input_tokens: 4_000_000,
  };

  expect(dollarsOf(usage, { input: 1, output: 10, cache_read: 100, cache_write: 1_000 })).toBe(4_321);
  expect(dollarsOf(usage, undefined)).toBe(0);
});
