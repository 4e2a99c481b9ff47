import { afterEach, expect, test, vi } from "vitest";
import { retainAll, withinShare, type RetentionSteps } from "./retention.ts";

afterEach(() => vi.restoreAllMocks());

/** A step that takes `stepMs`, by a clock that only it moves; it says `howMany` times at most that more is left. */
function stepOf(stepMs: number, howMany: number) {
  let [now, steps] = [0, 0];
  vi.spyOn(performance, "now").mockImplementation(() => now);
  return vi.fn<() => Promise<boolean>>(async () => {
    now += stepMs;
    steps += 1;
    return steps < howMany;
  });
}

test.each([
  { what: "ends with the work", stepMs: 10, howMany: 3, steps: 3, isMore: false },
  { what: "goes on for 100 ms, and says that more is left", stepMs: 40, howMany: 100, steps: 3, isMore: true },
  { what: "makes one step, however long it takes", stepMs: 5_000, howMany: 100, steps: 1, isMore: true },
])("one kind of upkeep $what", async ({ stepMs, howMany, steps, isMore }) => {
  const step = stepOf(stepMs, howMany);

  expect(await withinShare(step)).toBe(isMore);
  expect(step).toHaveBeenCalledTimes(steps);
});

test("each kind has its turn, also behind one that does not come to its end", async () => {
  const step = stepOf(60, Infinity);
  const others = vi.fn<(before: number) => Promise<boolean>>(async () => false);
  const steps: RetentionSteps = {
    removeThreads: step,
    removeFiles: others,
    removeActivities: others,
    forgetKeys: others,
    joinDeltas: others,
    giveBack: async () => others(0),
  };

  const isMore = await retainAll({ threadsMs: 1, filesMs: 2, keysMs: 4, deltasMs: 5 }, 1_000, steps);

  expect(isMore).toBe(true);
  expect(others.mock.calls.map(([before]) => before)).toEqual([998, 996, 995, 0]);
});
