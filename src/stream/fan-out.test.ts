import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FanOut } from "./fan-out.ts";

function tellers(fanOut: FanOut, count: number): number[] {
  const heard = Array.from({ length: count }, () => 0);
  for (const index of heard.keys()) fanOut.add(() => (heard[index] = (heard[index] ?? 0) + 1));
  return heard;
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

test("a few are told at once", () => {
  const fanOut = new FanOut();
  const heard = tellers(fanOut, 5);

  fanOut.tell();

  expect(heard).toEqual([1, 1, 1, 1, 1]);
});

test("of many, a few are told at once, and all of them in the end", () => {
  const fanOut = new FanOut();
  const heard = tellers(fanOut, 100);

  fanOut.tell();
  const atOnce = sum(heard);
  vi.runAllTimers();

  expect(atOnce).toBeLessThan(50);
  expect(heard).toEqual(Array.from({ length: 100 }, () => 1));
});

test("news that comes meanwhile reaches all, the last ones too", () => {
  const fanOut = new FanOut();
  const heard = tellers(fanOut, 100);

  for (let ms = 0; ms < 50; ms += 1) {
    fanOut.tell();
    vi.advanceTimersByTime(1);
  }
  const whileNews = Math.min(...heard);
  vi.runAllTimers();

  expect(whileNews).toBeGreaterThan(2);
  expect(Math.max(...heard) - Math.min(...heard)).toBe(0);
});

test.each([
  { crowd: 100, tellingMs: 0.25, lastAfterMs: 30, pause: "20 times the telling of 16" },
  { crowd: 100, tellingMs: 10, lastAfterMs: 60, pause: "10 ms" },
  { crowd: 319, tellingMs: 10, lastAfterMs: 95, pause: "a twentieth of 100 ms" },
])("the pause between a few of $crowd is $pause when that takes $tellingMs ms", ({ crowd, tellingMs, lastAfterMs }) => {
  const fanOut = new FanOut();
  let spentMs = 0;
  vi.spyOn(performance, "now").mockImplementation(() => Date.now() + spentMs);
  for (let index = 0; index < crowd; index += 1) fanOut.add(() => (spentMs += tellingMs / 16));
  let lastToldAt = 0;
  fanOut.add(() => (lastToldAt = Date.now()));
  const began = Date.now();

  fanOut.tell();
  vi.runAllTimers();

  expect(lastToldAt - began).toBe(lastAfterMs);
});

test("one that left before its turn is not told", () => {
  const fanOut = new FanOut();
  tellers(fanOut, 50);
  let told = false;
  const late = () => void (told = true);
  fanOut.add(late);

  fanOut.tell();
  fanOut.delete(late);
  vi.runAllTimers();

  expect(told).toBe(false);
});

test("nothing is timed once all have left, and who joins then is told of news at once", () => {
  const fanOut = new FanOut();
  const listeners = Array.from({ length: 50 }, () => vi.fn<() => void>());
  for (const listener of listeners) fanOut.add(listener);
  fanOut.tell();
  fanOut.tell();

  for (const listener of listeners) fanOut.delete(listener);
  expect(vi.getTimerCount()).toBe(0);
  const late = tellers(fanOut, 1);
  fanOut.tell();

  expect(late).toEqual([1]);
});

test("the last ones that leave when they are told leave nothing behind", () => {
  const fanOut = new FanOut();
  const leave = vi.fn<() => void>(() => {
    for (const listener of listeners) fanOut.delete(listener);
  });
  const listeners = [leave, ...Array.from({ length: 50 }, () => vi.fn<() => void>())];
  for (const listener of listeners) fanOut.add(listener);

  fanOut.tell();

  expect(leave).toHaveBeenCalledOnce();
  expect(vi.getTimerCount()).toBe(0);
});

test("one that joins from within, or tells again, is no endless loop", () => {
  const fanOut = new FanOut();
  let calls = 0;
  fanOut.add(() => {
    calls += 1;
    if (calls < 3) fanOut.tell();
  });

  fanOut.tell();
  vi.runAllTimers();

  expect(calls).toBe(3);
});

test("news in a pause is told in its turn, not in between", () => {
  const fanOut = new FanOut();
  const heard = tellers(fanOut, 16);
  fanOut.add(() => {
    if (sum(heard) < 20) fanOut.tell();
  });

  fanOut.tell();
  const atOnce = sum(heard);
  fanOut.tell();
  fanOut.tell();

  expect(sum(heard)).toBe(atOnce);
  vi.runAllTimers();
  expect(sum(heard)).toBe(32);
});
