import { array, assert, constantFrom, nat, property, tuple } from "fast-check";
import { expect, test } from "vitest";
import { judge, trialMs, type LeftRun, type OwnerEnd, type Verdict } from "./blame.ts";

const BASE: LeftRun = { crashes: 0, losses: 0, hasToolUnderWay: true, cancelRequested: false };

type Case = readonly [what: string, run: Partial<LeftRun>, end: OwnerEnd, suspects: number, verdict: string];

const CASES: readonly Case[] = [
  ["a run that only streams", { hasToolUnderWay: false }, "crashed", 0, "requeue 0 0"],
  [
    "a run that streams, however often its tools were hit",
    { hasToolUnderWay: false, crashes: 3 },
    "crashed",
    1,
    "requeue 3 0",
  ],
  ["the first crash in a tool", {}, "crashed", 1, "requeue 1 0"],
  ["the second", { crashes: 1 }, "crashed", 1, "requeue 2 0"],
  ["the third, alone", { crashes: 2 }, "crashed", 1, "POISONED"],
  ["the third, beside another's tool", { crashes: 2 }, "crashed", 2, "requeue 3 0"],
  ["a later one, alone", { crashes: 7 }, "crashed", 1, "POISONED"],
  ["a stop in a tool, of a run that crashed beside others", { crashes: 3 }, "stopped", 1, "requeue 3 0"],
  ["a process that is gone, of a run that crashed beside others", { crashes: 3 }, "gone", 1, "requeue 3 1"],
  ["a stop in a tool", { crashes: 2, losses: 9 }, "stopped", 1, "requeue 2 9"],
  ["a process that is gone", { crashes: 2 }, "gone", 1, "requeue 2 1"],
  ["a process gone for the tenth time", { losses: 9 }, "gone", 5, "POISONED"],
  ["one that is gone while the run streams", { hasToolUnderWay: false, losses: 9 }, "gone", 0, "requeue 0 9"],
  ["a run that was to be canceled", { cancelRequested: true, crashes: 2 }, "crashed", 1, "canceled"],
  [
    "one that was to be canceled and only streams",
    { cancelRequested: true, hasToolUnderWay: false },
    "gone",
    0,
    "canceled",
  ],
];

test.each(CASES)("%s", (...[, run, end, suspects, expected]) => {
  expect(inWords(judge({ ...BASE, ...run }, end, suspects))).toBe(expected);
});

test.each([
  [0, 0, 0],
  [1, 0, 0],
  [2, 0, 5_000],
  [1, 1, 5_000],
  [3, 0, 10_000],
  [9, 9, 300_000],
])("after %i crashes and %i losses its tools run alone for %i ms", (crashes, losses, ms) => {
  expect(trialMs({ crashes, losses })).toBe(ms);
});

test("whatever happens to its processes, a run without a tool under way is never given up", () => {
  const ends = constantFrom<OwnerEnd>("crashed", "stopped", "gone");
  assert(
    property(array(tuple(ends, nat(5))), (story) => {
      let run = { ...BASE, hasToolUnderWay: false };
      for (const [end, suspects] of story) {
        const verdict = judge(run, end, suspects);
        expect(verdict).toEqual({ is: "requeue", suspicion: { crashes: 0, losses: 0 } });
        if (verdict.is === "requeue") run = { ...run, ...verdict.suspicion };
      }
    }),
  );
});

function inWords(verdict: Verdict): string {
  if (verdict.is === "requeue") return `requeue ${verdict.suspicion.crashes} ${verdict.suspicion.losses}`;
  const { outcome } = verdict;
  return outcome.status === "failed" ? outcome.error.code : outcome.status;
}
