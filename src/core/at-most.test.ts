import { expect, onTestFinished, test, vi } from "vitest";
import { atMost } from "./at-most.ts";

test("a wait is over with the work or with the time, says which, and leaves no timer", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  expect(await atMost(1_000, Promise.resolve())).toBe(true);
  expect(await atMost(1_000, undefined)).toBe(true);
  expect(await atMost(1_000, Promise.reject(new Error("it failed")))).toBe(false);
  expect(vi.getTimerCount()).toBe(0);

  const late = atMost(1_000, new Promise(() => {}));
  vi.advanceTimersByTime(1_000);
  expect(await late).toBe(false);
  expect(vi.getTimerCount()).toBe(0);
});
