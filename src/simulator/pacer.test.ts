/** One timer for many sleepers, on a clock that the test moves. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Pacer, type Sleeper } from "./pacer.ts";

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

const sleeper = (wake: (nowMs: number) => void): Sleeper => ({ wake });

test("a sleeper is woken at its time, not before, and once", () => {
  const pacer = new Pacer();
  const wake = vi.fn<(nowMs: number) => void>();
  const dueMs = pacer.now() + 100;
  pacer.sleep(sleeper(wake), dueMs);
  vi.advanceTimersByTime(99);
  expect(wake).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1_000);
  expect(wake).toHaveBeenCalledOnce();
  expect(wake.mock.calls[0]?.[0]).toBeGreaterThanOrEqual(dueMs);
  expect(wake.mock.calls[0]?.[0]).toBeLessThan(dueMs + 4);
});

test("a cancelled sleeper is never woken, and nothing of it is kept", () => {
  const pacer = new Pacer();
  const wake = vi.fn<(nowMs: number) => void>();
  const sleeping = sleeper(wake);
  pacer.sleep(sleeping, pacer.now() + 10);
  pacer.cancel(sleeping);
  expect(pacer.sleepers).toBe(0);
  vi.advanceTimersByTime(100);
  expect(wake).not.toHaveBeenCalled();
});

test("the timer runs only while somebody sleeps", () => {
  const pacer = new Pacer();
  expect(vi.getTimerCount()).toBe(0);
  for (let index = 0; index < 1_000; index++)
    pacer.sleep(
      sleeper(() => {}),
      pacer.now() + 10,
    );
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(20);
  expect(vi.getTimerCount()).toBe(0);
});

test("a sleeper may sleep again, and cancel another of its moment, while it is woken", () => {
  const pacer = new Pacer();
  const other = vi.fn<(nowMs: number) => void>();
  const cancelled = sleeper(other);
  const times: number[] = [];
  const dueMs = pacer.now() + 10;
  const again: Sleeper = {
    wake: (nowMs) => {
      times.push(nowMs);
      pacer.cancel(cancelled);
      if (times.length < 3) pacer.sleep(again, nowMs);
    },
  };
  pacer.sleep(again, dueMs);
  pacer.sleep(cancelled, dueMs);
  vi.advanceTimersByTime(100);
  expect(times).toHaveLength(3);
  expect(other).not.toHaveBeenCalled();
});

test("a stopped pacer wakes nobody", () => {
  const pacer = new Pacer();
  const wake = vi.fn<(nowMs: number) => void>();
  pacer.sleep(sleeper(wake), pacer.now() + 10);
  pacer.stop();
  vi.advanceTimersByTime(100);
  expect(wake).not.toHaveBeenCalled();
  expect(vi.getTimerCount()).toBe(0);
});
