import { expect, test } from "vitest";
import { NO_VITALS } from "./no-vitals.ts";
import type { Change } from "./scale.ts";
import { Size } from "./size.ts";

const vitalsOf = (percents: readonly number[]) => percents.map((busy_percent) => ({ ...NO_VITALS, busy_percent }));

/** Two workers, and up to `max`. `busy` ticks for some seconds; it returns the changes that were wanted. */
function makeSize(max: number, cores = 16) {
  const looks: number[] = [];
  let ticks = 0;
  const bounds = () => {
    looks.push(ticks);
    return { min: 2, max };
  };
  const size = new Size({ kind: "worker", bounds, cores: () => cores });
  const busy = (seconds: number, percents: readonly number[]): Change[] =>
    Array.from({ length: seconds }, () => {
      ticks += 1;
      return size.tick(vitalsOf(percents), 2);
    }).filter((change) => change !== undefined);
  return { size, looks, busy };
}

test("only the last minute decides, however long it was quiet before", () => {
  const { busy } = makeSize(8);

  expect(busy(300, [50, 50])).toEqual([]);
  expect(busy(60, [100, 100])).toContainEqual({ count: 4, reason: "workers 100 % busy" });
});

test("after a change the load is measured for a whole minute anew", () => {
  const { size, busy } = makeSize(8);
  busy(300, [100, 100]);

  size.changed();

  expect(busy(59, [100, 100])).toEqual([]);
  expect(busy(1, [100, 100])).toHaveLength(1);
});

test("the load makes no more processes than there are cores, and the advice says why", () => {
  const { size, busy } = makeSize(8, 3);
  expect(busy(60, [100, 100])).toContainEqual({ count: 3, reason: "workers 100 % busy" });

  const { size: full, busy: busyFull } = makeSize(8, 2);
  expect(busyFull(300, [100, 100])).toEqual([]);
  expect(full.advice?.text).toContain("there are 2 cores, more processes would not help");

  // A person may know better.
  size.hold(8);
  expect(size.tick(vitalsOf([100, 100]), 8)).toBeUndefined();
});

test("advice about the old number ends with a change", () => {
  const { size, busy } = makeSize(2);
  busy(300, [100, 100]);
  expect(size.advice).toMatchObject({ count: 4 });

  size.changed();

  expect(size.advice).toBeUndefined();
});

test("seconds in which no process serves say nothing about the load", () => {
  const { busy } = makeSize(8);

  busy(50, [100, 100]);
  busy(50, []);

  expect(busy(10, [100, 100])).toEqual([{ count: 4, reason: "workers 100 % busy" }]);
});

test("the bounds are read every ten seconds, not each second", () => {
  const { looks, busy } = makeSize(8);

  busy(30, [50, 50]);

  expect(looks).toEqual([10, 20, 30]);
});

test("a number that was set by hand stays until the settings decide again", () => {
  const { size, busy } = makeSize(8);
  size.hold(5);
  expect(busy(10, [50, 50])).toEqual([{ count: 5, reason: "5 is the least" }]);

  size.hold(undefined);
  expect(busy(60, [100, 100])).toContainEqual({ count: 4, reason: "workers 100 % busy" });
});
