import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { History } from "./history.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

let seq = 0;
const snapshot = () => ({ seq: (seq += 1), at: Date.now(), ...NOTHING });

const NOTHING = { machine: "here", machines: [], processes: [], advice: [] };

test("five minutes of snapshots are kept, one a second, oldest first", () => {
  const history = new History();

  for (let second = 0; second < 1_000; second += 1) {
    history.add(snapshot());
    vi.advanceTimersByTime(1_000);
  }

  expect(history.snapshots).toHaveLength(300);
  const times = history.snapshots.map(({ at }) => at);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  expect(Date.now() - (times[0] ?? 0)).toBe(300_000);
});

test("a burst of changes neither shortens the five minutes nor loses the newest", () => {
  const history = new History();

  for (let change = 0; change < 6_000; change += 1) {
    history.add(snapshot());
    vi.advanceTimersByTime(50);
  }

  expect(history.snapshots.length).toBeLessThanOrEqual(355);
  expect(Date.now() - (history.snapshots[0]?.at ?? 0)).toBeGreaterThan(299_000);
  expect(history.snapshots.at(-1)?.seq).toBe(seq);
});

test("a mark is in every snapshot of the next five minutes, and then gone", () => {
  const history = new History();
  history.mark({ type: "death", process: "worker 2", detail: "x".repeat(10_000) });

  const soon = history.add(snapshot());
  vi.advanceTimersByTime(299_000);
  const later = history.add(snapshot());
  vi.advanceTimersByTime(2_000);
  const tooLate = history.add(snapshot());

  expect(soon.marks).toEqual([
    { id: 1, at: expect.any(Number), type: "death", process: "worker 2", detail: "x".repeat(200) },
  ]);
  expect(later.marks).toEqual(soon.marks);
  expect(tooLate.marks).toEqual([]);
});

test("the newest 64 marks are kept", () => {
  const history = new History();

  for (let id = 1; id <= 100; id += 1) history.mark({ type: "reload", process: null, detail: String(id) });

  const { marks } = history.add(snapshot());
  expect(marks).toHaveLength(64);
  expect(marks.at(-1)).toMatchObject({ id: 100, detail: "100" });
});
