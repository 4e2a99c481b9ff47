import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ActivityWatch } from "./activity-watch.ts";

const server = vi.hoisted(() => ({ ready: () => {}, left: 0 }));

vi.mock("./live.ts", () => ({
  subscribe: (_request: unknown, listener: { onReady: () => void }) => {
    server.ready = () => listener.onReady();
    return () => (server.left += 1);
  },
}));

beforeEach(() => {
  vi.useFakeTimers();
  server.left = 0;
});
afterEach(() => void vi.useRealTimers());

function watched() {
  let loads = 0;
  const watch = new ActivityWatch({ onActivity: () => {}, onMissed: () => (loads += 1) });
  watch.start();
  return { watch, loads: () => loads };
}

test("a list is loaded once: when the subscription stands", () => {
  const { loads } = watched();
  expect(loads()).toBe(0);

  server.ready();
  vi.advanceTimersByTime(10_000);

  expect(loads()).toBe(1);
});

test("while no subscription comes it is loaded all the same, and again when one does", () => {
  const { loads } = watched();

  vi.advanceTimersByTime(10_000);
  expect(loads()).toBe(1);
  server.ready();

  expect(loads()).toBe(2);
});

test("one that is stopped loads nothing any more", () => {
  const { watch, loads } = watched();

  watch.stop();
  vi.advanceTimersByTime(10_000);

  expect([loads(), server.left]).toEqual([0, 1]);
});
