import { expect, test } from "vitest";
import { addUsage, isOver, NO_USAGE, RUN_STATUSES, type Usage } from "./run.ts";

test("a run is over in three of its states", () => {
  expect(RUN_STATUSES.filter(isOver)).toEqual(["completed", "failed", "canceled"]);
});

test("usage adds up count by count", () => {
  const one: Usage = {
    input_tokens: 1,
    output_tokens: 2,
    cache_read_input_tokens: 3,
    cache_creation_input_tokens: 4,
  };

  expect(addUsage(one, one)).toEqual({
    input_tokens: 2,
    output_tokens: 4,
    cache_read_input_tokens: 6,
    cache_creation_input_tokens: 8,
  });
  expect(addUsage(one, NO_USAGE)).toEqual(one);
});
