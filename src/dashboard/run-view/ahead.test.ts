import { expect, test } from "vitest";
import { wereAhead } from "./ahead.ts";

test("how many waited is told of the moment when the run came, not of now", () => {
  expect([1, 4].map(wereAhead)).toEqual(["1 run was ahead of it when it came", "4 runs were ahead of it when it came"]);
});
