import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { FanOut } from "./fan-out.ts";

function tellers(fanOut: FanOut, count: number): number[] {
  const heard = Array.from({ length: count }, () => 0);
  for (const index of heard.keys()) fanOut.add(() => (heard[index] = (heard[index] ?? 0) + 1));
  return heard;
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

test("a few are told at once", () => {
  const fanOut = new FanOut();
  const heard = tellers(fanOut, 5);

  fanOut.tell();

  expect(heard).toEqual([1, 1, 1, 1, 1]);
});

test("of many, a few are told per turn of the loop, and all of them in the end", async () => {
  const fanOut = new FanOut();
  const heard = tellers(fanOut, 100);

  fanOut.tell();
  const atOnce = sum(heard);
  for (let turns = 0; turns < 20; turns += 1) await turn();

  expect(atOnce).toBeLessThan(50);
  expect(heard).toEqual(Array.from({ length: 100 }, () => 1));
});

test("news that comes meanwhile reaches all, the last ones too", async () => {
  const fanOut = new FanOut();
  const heard = tellers(fanOut, 100);

  for (let turns = 0; turns < 50; turns += 1) {
    fanOut.tell();
    await turn();
  }
  const whileNews = Math.min(...heard);
  for (let turns = 0; turns < 20; turns += 1) await turn();

  expect(whileNews).toBeGreaterThan(2);
  expect(Math.max(...heard) - Math.min(...heard)).toBe(0);
});

test("one that left before its turn is not told", async () => {
  const fanOut = new FanOut();
  tellers(fanOut, 50);
  let told = false;
  const late = () => void (told = true);
  fanOut.add(late);

  fanOut.tell();
  fanOut.delete(late);
  for (let turns = 0; turns < 20; turns += 1) await turn();

  expect(told).toBe(false);
});

test("one that joins from within, or tells again, is no endless loop", async () => {
  const fanOut = new FanOut();
  let calls = 0;
  fanOut.add(() => {
    calls += 1;
    if (calls < 3) fanOut.tell();
  });

  fanOut.tell();
  for (let turns = 0; turns < 20; turns += 1) await turn();

  expect(calls).toBe(3);
});
