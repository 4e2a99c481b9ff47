import { expect, test } from "vitest";
import { tool } from "../../../config/tools/calculate.ts";
import { callContext } from "../../testing/call-context.ts";
import { contextFor } from "./context.ts";

const { signal, report, ...data } = callContext();
const { context } = contextFor({ data, signal, report });

const calculate = (expression: string): unknown => tool.run(tool.input.parse({ expression }), context);

test.each([
  ["2 * (3 + 4)", "14"],
  ["2 ^ 3 ^ 2", "512"],
  ["2 ** 10", "1024"],
  ["-2 ^ 2", "-4"],
  ["7 % 4", "3"],
  ["sqrt(2) ^ 2", "2.0000000000000004"],
  ["max(1, 5, 3) - min(1, 5, 3)", "4"],
  ["round(pi * 100) / 100", "3.14"],
  ["+5 - -5", "10"],
  ["ln(e)", "1"],
])("%s is %s", (expression, result) => {
  expect(calculate(expression)).toBe(result);
});

test.each([
  "process.exit(1)",
  "constructor.constructor('x')()",
  "this",
  "a = 1",
  "[1, 2]",
  "1, 2",
  "1; 2",
  "'text'",
  "true",
  "1 ? 2 : 3",
  "sqrt",
  "toString()",
  "__proto__",
  "hasOwnProperty(1)",
  "1 << 2",
  "!1",
  "1 +",
  "((1)",
  "1/0",
  "0/0",
  "10 ^ 400",
  "max()",
])("%s is refused, and nothing runs", (expression) => {
  expect(() => calculate(expression)).toThrow(/./);
});

test("an expression nested a thousand deep is an answer or an error, never a crash", () => {
  const nested = `${"(".repeat(499)}1${")".repeat(499)}`;

  expect(calculate(nested)).toBe("1");
});

test("an expression above a thousand characters does not fit", () => {
  expect(tool.input.safeParse({ expression: "1".repeat(1_001) }).success).toBe(false);
  expect(tool.input.safeParse({ expression: "" }).success).toBe(false);
});
