import { afterEach, expect, test, vi } from "vitest";
import { OldThreads, retainAll, withinShare, type RetentionSteps } from "./retention.ts";

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

/** `OldThreads` with that many threads, of which every second one has to stay. `looks` has the thread behind which each look began. */
function oldThreads(count: number) {
  let stored = Array.from({ length: count }, (_, n) => ({ id: `thread ${n}`, n, kept: n % 2 === 0 }));
  const looks: (number | undefined)[] = [];
  const threads = new OldThreads<(typeof stored)[number]>({
    look: async (last, _before, limit) => {
      looks.push(last?.n);
      return stored.filter(({ n }) => last === undefined || n > last.n).slice(0, limit);
    },
    remove: async (threadId) => (stored = stored.filter(({ id }) => id !== threadId)),
  });
  return { threads, looks, left: () => stored.length };
}

test("a walk over old threads goes on behind the last one, and begins again when it was through", async () => {
  const { threads, looks, left } = oldThreads(250);
  const answers: boolean[] = [];

  while (answers.length < 5) answers.push(await threads.step(0, Infinity));

  expect(looks).toEqual([undefined, 99, 199, undefined, 198]);
  expect(answers).toEqual([true, true, false, true, false]);
  expect(left()).toBe(125);
});

test("a step over old threads whose time is over ends, and the next one goes on behind it", async () => {
  const { threads, looks, left } = oldThreads(10);

  for (let step = 0; step < 4; step += 1) expect(await threads.step(0, 0)).toBe(true);

  expect(looks).toEqual([undefined, 0, 1, 2]);
  expect(left()).toBe(8);
});
