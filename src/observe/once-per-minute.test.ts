import { expect, onTestFinished, test, vi } from "vitest";
import { OncePerMinute } from "./once-per-minute.ts";

test("each name is let through once a minute, and what has none always", () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  onTestFinished(() => void vi.useRealTimers());
  const said = new OncePerMinute();
  expect(["a", "a", "b", undefined, undefined].map((name) => said.lets(name))).toEqual([true, false, true, true, true]);
  vi.advanceTimersByTime(59_999);
  expect(said.lets("a")).toBe(false);
  vi.advanceTimersByTime(1);
  expect(said.lets("a")).toBe(true);
});
