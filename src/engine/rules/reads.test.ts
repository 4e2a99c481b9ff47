import { expect, test } from "vitest";
import { equalOfRuns, placeOf, positionOf, splitFilter, toCounts, toThreadPage } from "./reads.ts";

const PARKED = "(status = 'running' AND waiting IS NOT NULL)";

test.each([
  ["nothing", {}, { others: [] }],
  ["one column", { status: "queued" }, { driving: "status", others: [] }],
  [
    "the most selective column of several",
    { status: "queued", threadId: "t", principal: "ana" },
    { driving: "thread_id", others: ["principal", "status"] },
  ],
  ["a condition alone: it has no index", { topLevel: true }, { others: ["(parent_id IS NULL)"] }],
  ["parked runs, which are running", { parked: true }, { driving: "status", others: [PARKED] }],
  ["runs that are not parked: nothing has an index for that", { parked: false }, { others: [PARKED] }],
  [
    "a condition beside a column",
    { topLevel: false, agentId: "a" },
    { driving: "agent_id", others: ["(parent_id IS NULL)"] },
  ],
] as const)("a filter by %s drives the list by what has an index", (_what, filter, expected) => {
  const { driving, others } = splitFilter(equalOfRuns({ limit: 10, ...filter }));

  expect({ driving: driving?.[0], others: others.map(([column]) => column) }).toEqual({
    driving: undefined,
    ...expected,
  });
});

test("a full page of threads has a next one, and a short page is the last", () => {
  const row = { thread_id: "t", title: "hello", created_at: 1, updated_at: 2, runs: 1, last_run: 7 };
  const { last_run: _last, ...summary } = row;

  expect(toThreadPage([row], 1)).toEqual({ items: [summary], next: 7 });
  expect(toThreadPage([row], 2)).toEqual({ items: [summary], next: null });
  expect(toThreadPage([], 2)).toEqual({ items: [], next: null });
});

test("a message's position is a number that says its run and its index", () => {
  expect(placeOf(positionOf({ run_n: 12, idx: 34 }))).toEqual({ run: 12, index: 34 });
});

test("counts without rows stay where the reader is", () => {
  expect(toCounts(5, [])).toEqual({ last: 5, byType: {} });
  expect(toCounts(5, [{ type: "notice", many: 2, last: 9 }])).toEqual({ last: 9, byType: { notice: 2 } });
});
