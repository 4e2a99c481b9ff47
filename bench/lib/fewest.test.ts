import { expect, test } from "vitest";
import { fewest, middle, type Trial, type Window } from "./fewest.ts";

const PLAIN: Window = {
  answersPerSecond: 1_000,
  tokensPerSecond: Number.NaN,
  p99: 5,
  megabytes: 300,
  busy: { workers: { busyPercent: 50, workPercent: 50 }, agents: { busyPercent: 0, workPercent: 0 } },
};

function trial(workers: number, agents: number, windows: readonly Partial<Window>[]): Trial {
  return { workers, agents, windows: windows.map((window) => ({ ...PLAIN, ...window })) };
}

const answers = (...all: number[]) => all.map((answersPerSecond) => ({ answersPerSecond }));

test.each<{ title: string; trials: Trial[]; counts: [number, number]; isEnough?: boolean }>([
  {
    title: "equal pairs: the smallest",
    trials: [trial(4, 1, answers(1_000, 1_000)), trial(2, 1, answers(960, 1_000))],
    counts: [2, 1],
  },
  {
    title: "fewer than can be replaced one by one are not considered",
    trials: [trial(1, 1, answers(2_000, 2_000)), trial(2, 1, answers(1_000, 1_000))],
    counts: [2, 1],
  },
  {
    title: "a pair that was behind in each round is worse",
    trials: [trial(2, 1, answers(900, 940, 700)), trial(4, 1, answers(1_000, 1_000, 1_000))],
    counts: [4, 1],
  },
  {
    title: "a pair that was near the best in one round is not worse, however far behind it was in the others",
    trials: [trial(2, 1, answers(600, 990, 600)), trial(4, 1, answers(1_000, 1_000, 1_000))],
    counts: [2, 1],
  },
  {
    title: "a whole round that was slow makes nobody worse",
    trials: [trial(2, 1, answers(1_000, 500)), trial(4, 1, answers(1_010, 505))],
    counts: [2, 1],
  },
  {
    title: "a pair that answers late in each round is worse",
    trials: [trial(2, 1, [{ p99: 8 }, { p99: 9 }]), trial(4, 1, [{ p99: 5 }, { p99: 5 }])],
    counts: [4, 1],
  },
  {
    title: "a pair that is late by less than 2 ms is not worse",
    trials: [trial(2, 1, [{ p99: 2.9 }]), trial(4, 1, [{ p99: 1 }])],
    counts: [2, 1],
  },
  {
    title: "tokens count where the load has them",
    trials: [trial(2, 1, [{ tokensPerSecond: 1_500 }]), trial(2, 2, [{ tokensPerSecond: 2_000 }])],
    counts: [2, 2],
  },
  {
    title: "no pair is near the best in everything: the one that answers soonest",
    trials: [trial(2, 1, [{ answersPerSecond: 900, p99: 5 }]), trial(4, 1, [{ answersPerSecond: 2_000, p99: 50 }])],
    counts: [2, 1],
    isEnough: false,
  },
])("$title", ({ trials, counts, isEnough = true }) => {
  const { trial: found, ...rest } = fewest(trials);
  expect([found.workers, found.agents]).toEqual(counts);
  expect(rest).toEqual({ isEnough });
});

test("no trial with enough processes is an error", () => {
  expect(() => fewest([trial(1, 1, [{}])])).toThrow("Expected a trial with enough processes.");
});

test("a figure of a pair is the median of its rounds", () => {
  expect(middle(trial(2, 1, answers(10, 1_000, 20)), ({ answersPerSecond }) => answersPerSecond)).toBe(20);
});
