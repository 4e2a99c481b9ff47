import { expect, test } from "vitest";
import { dollarsOf, judgeBudget, NOTHING, SCOPES, UNITS, type Standing } from "./spending.ts";

const CAP = 100;

function standing(unit: "tokens" | "dollars", [spent, reserved]: readonly [number, number]): Standing {
  return { spent: { ...NOTHING.spent, [unit]: spent }, reserved: { ...NOTHING.reserved, [unit]: reserved } };
}

const EMPTY = { run: NOTHING, day: NOTHING, principalDay: NOTHING, allAgentsDay: NOTHING };

test.each([
  { what: "nothing", amounts: [0, 0], is: "within" },
  { what: "all but a little", amounts: [99, 0], is: "within" },
  { what: "exactly all", amounts: [100, 0], is: "met" },
  { what: "more than all", amounts: [101, 0], is: "met" },
  { what: "with the reservations all but a little", amounts: [60, 39], is: "within" },
  { what: "with the reservations exactly all", amounts: [60, 40], is: "reserved" },
  { what: "nothing, and all is reserved", amounts: [0, 100], is: "reserved" },
  { what: "exactly all, and more is reserved", amounts: [100, 50], is: "met" },
] as const)("a budget of which $what was used is $is, in each scope and unit", ({ amounts, is }) => {
  for (const scope of SCOPES)
    for (const unit of UNITS) {
      const judged = judgeBudget({ [scope]: { [unit]: CAP } }, { ...EMPTY, [scope]: standing(unit, amounts) });
      const details = { within: {}, reserved: { scope }, met: { scope, unit, cap: CAP } }[is];
      expect(judged).toEqual({ is, ...details });
    }
});

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
