import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ActivityWatch } from "./activity-watch.ts";
import { FakeServices } from "./fake-services.ts";

let server: FakeServices;

beforeEach(() => {
  vi.useFakeTimers();
  server = new FakeServices();
  server.isReadyAtOnce = false;
});
afterEach(() => void vi.useRealTimers());

function watched() {
  let loads = 0;
  const watch = new ActivityWatch(server.live, { onActivity: () => {}, onMissed: () => (loads += 1) });
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

  expect([loads(), server.ended]).toEqual([0, 1]);
});
