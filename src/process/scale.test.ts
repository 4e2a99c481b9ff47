import { assert, double, integer, property } from "fast-check";
import { expect, test } from "vitest";
import { adviceFor, autoCount, busyOf, wantedChange, type Busy, type Load } from "./scale.ts";

/** Processes that have a core whenever they need one. */
const load = (count: number, busyPercent: number | undefined, fields: Partial<Load> = {}): Load => ({
  kind: "worker",
  count,
  busy: busyPercent === undefined ? undefined : { busyPercent, workPercent: busyPercent },
  bounds: { min: 2, max: 8 },
  ...fields,
});

/** Processes that wait for a core for the rest of the time in which they are busy. */
const starved = (count: number, busy: Busy, fields: Partial<Load> = {}): Load =>
  load(count, undefined, { busy, ...fields });

test.each<[string, Load, number | undefined]>([
  ["nothing was measured yet", load(4, undefined), undefined],
  ["a load in the middle", load(4, 60), undefined],
  ["just below the limit", load(4, 74.9), undefined],
  ["at the limit: as many as make it 55 %", load(4, 75), 6],
  ["82 % busy", load(4, 82), 6],
  ["completely busy: it may be far more", load(4, 100), 8],
  ["busy at the most", load(8, 100), undefined],
  ["busy, mostly waiting for a core", starved(4, { busyPercent: 100, workPercent: 40 }), undefined],
  ["busy, now and then waiting for a core", starved(4, { busyPercent: 100, workPercent: 80 }), 6],
  ["waiting for a core is no reason to have fewer", starved(4, { busyPercent: 45, workPercent: 5 }), undefined],
  ["little to do: one less", load(4, 25), 3],
  ["little to do, and one less would be 40 % busy", load(4, 30), undefined],
  ["idle at the least", load(2, 0), undefined],
  ["fewer than the least", load(1, undefined), 2],
  ["more than the most", load(9, undefined), 8],
  ["a fixed number, busy", load(4, 100, { bounds: { min: 4, max: 4 } }), undefined],
  ["a fixed number, idle", load(4, 0, { bounds: { min: 4, max: 4 } }), undefined],
])("%s", (_, given, expected) => {
  expect(wantedChange(given)?.count).toBe(expected);
});

test("a steady load comes to rest, within the bounds and without going back and forth", () => {
  assert(
    property(integer({ min: 1, max: 64 }), double({ min: 0, max: 64, noNaN: true }), (from, total) => {
      const bounds = { min: 1, max: 64 };
      const counts = [from];
      for (let step = 0; step < 200; step += 1) {
        const count = counts.at(-1) ?? 1;
        const busyPercent = Math.min(100, (total * 100) / count);
        const change = wantedChange(load(count, busyPercent, { kind: "agent", bounds }));
        if (!change) break;
        counts.push(change.count);
      }
      const steps = counts.slice(1).map((count, at) => Math.sign(count - (counts[at] ?? 0)));
      expect(counts.length).toBeLessThan(100);
      expect(new Set(steps).size).toBeLessThanOrEqual(1);
      expect(Math.min(...counts)).toBeGreaterThanOrEqual(1);
      expect(Math.max(...counts)).toBeLessThanOrEqual(64);
    }),
  );
});

const at = { cores: 16, minutes: 5 };
const fixed = (count: number) => ({ bounds: { min: count, max: count } });

test.each<[Load, string | undefined]>([
  [load(4, 82, fixed(4)), "workers 82 % busy for 5 min: 6 would be 55 %"],
  [load(4, 75, fixed(4)), "workers 75 % busy for 5 min: 6 would be 50 %"],
  [load(8, 90), "workers 90 % busy for 5 min: 14 would be 51 %"],
  [load(16, 90, fixed(16)), "workers 90 % busy for 5 min: there are 16 cores, more processes would not help"],
  [load(24, 90, fixed(24)), "workers 90 % busy for 5 min: there are 16 cores, 16 would do as much"],
  [load(12, 100, fixed(12)), "workers 100 % busy for 5 min: 16 would be 75 %"],
  [
    starved(1, { busyPercent: 84, workPercent: 13 }, { kind: "agent", ...fixed(1) }),
    "agents 84 % busy for 5 min, on a core for 13 %: more processes would not help",
  ],
  [
    starved(24, { busyPercent: 90, workPercent: 50 }, fixed(24)),
    "workers 90 % busy for 5 min: there are 16 cores, 16 would do as much",
  ],
  [load(2, 0.2, { kind: "agent", ...fixed(2) }), "agents idle: 1 is enough"],
  [load(4, 0.2, fixed(4)), "workers idle: 2 are enough"],
  [load(8, 10, fixed(8)), undefined],
  [load(8, 5, fixed(8)), "workers 5 % busy for 5 min: 2 are enough (20 %)"],
  [load(1, 0, { kind: "agent", ...fixed(1) }), undefined],
  [load(4, 60, fixed(4)), undefined],
  [load(4, undefined, fixed(4)), undefined],
  // Between the bounds the number changes by itself.
  [load(4, 90), undefined],
  [load(4, 1), undefined],
])("%o is advised in words: %s", (given, expected) => {
  expect(adviceFor(given, at)?.text).toBe(expected);
});

test.each<[number, string]>([
  [1, "workers 90 % busy for 5 min: there is 1 core, more processes would not help"],
  [2, "workers 90 % busy for 5 min: there is 1 core, more processes would not help"],
  [3, "workers 90 % busy for 5 min: there is 1 core, 2 would do as much"],
])(
  "%i busy workers on one core are not told that a second core's worth of them would be less busy",
  (count, expected) => {
    expect(adviceFor(load(count, 90, fixed(count)), { cores: 1, minutes: 5 })?.text).toBe(expected);
  },
);

test("how busy a kind is, is the mean of its processes; work is the part of it on a core", () => {
  const processes = [
    { busy_percent: 80, cpu_granted_percent: 50 },
    { busy_percent: 40, cpu_granted_percent: 100 },
  ];

  expect(busyOf(processes)).toEqual({ busyPercent: 60, workPercent: 40 });
  expect(busyOf([])).toBeUndefined();
});

test.each([
  ["worker", 1, 2],
  ["worker", 6, 6],
  ["agent", 1, 1],
  ["agent", 6, 6],
] as const)("%ss that follow %i cores are %i", (kind, cores, expected) => {
  expect(autoCount(kind, cores)).toBe(expected);
});
