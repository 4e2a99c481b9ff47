import { setImmediate as tick } from "node:timers/promises";
import { expect, test } from "vitest";
import { PageQueue } from "./page-queue.ts";

test("a few are served per tick of the loop, in the order they came", async () => {
  const queue = new PageQueue();
  const served: number[] = [];
  const all = Promise.all(Array.from({ length: 10 }, (_, index) => queue.next().then(() => served.push(index))));
  const afterEach: number[] = [];

  while (served.length < 10) {
    await tick();
    afterEach.push(served.length);
  }
  await all;

  expect(served).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(afterEach.length).toBeGreaterThanOrEqual(3);
});

test("one that asks again waits behind all others", async () => {
  const queue = new PageQueue();
  const served: string[] = [];
  const greedy = async () => {
    for (let pages = 0; pages < 3; pages += 1) {
      await queue.next();
      served.push("greedy");
    }
  };

  await Promise.all([greedy(), ...Array.from({ length: 8 }, () => queue.next().then(() => served.push("other")))]);

  expect(served.indexOf("other")).toBe(1);
  expect(served.lastIndexOf("other")).toBeLessThan(served.lastIndexOf("greedy"));
});
