/** Tests the counter of `times=N`. */
import { expect, test } from "vitest";
import { Attempts } from "./attempts.ts";

test("a key strikes as often as asked, each key by itself", () => {
  const attempts = new Attempts();
  expect([1, 2, 3].map(() => attempts.strikes("a", 2))).toEqual([true, true, false]);
  expect(attempts.strikes("b", 1)).toBe(true);
});

test("ten thousand keys are remembered, and the oldest is forgotten first", () => {
  const attempts = new Attempts();
  for (let index = 0; index <= 10_000; index++) attempts.strikes(`key ${index}`, 1);
  expect(attempts.strikes("key 10000", 1)).toBe(false);
  expect(attempts.strikes("key 0", 1)).toBe(true);
});
