import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { History } from "./history.ts";
import { NO_VITALS } from "./no-vitals.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

let seq = 0;
const snapshot = () => ({ seq: (seq += 1), at: Date.now(), ...NOTHING });

const NOTHING = { machine: "here", machines: [], processes: [], marks: [], advice: [] };

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

  expect(history.snapshots.length).toBeGreaterThanOrEqual(300);
  expect(history.snapshots.length).toBeLessThanOrEqual(355);
  expect(Date.now() - (history.snapshots[0]?.at ?? 0)).toBeGreaterThan(299_000);
  expect(history.snapshots.at(-1)?.seq).toBe(seq);
});

test.each([-3_600_000, 3_600_000])("after the wall clock was set by %d ms each second is kept as before", (ms) => {
  const history = new History();
  const addFor = (seconds: number) => {
    for (let second = 0; second < seconds; second += 1) {
      history.add(snapshot());
      vi.advanceTimersByTime(1_000);
    }
  };
  addFor(60);

  vi.setSystemTime(Date.now() + ms);
  addFor(60);

  const seqs = history.snapshots.map((one) => one.seq);
  expect(seqs).toEqual(Array.from({ length: 120 }, (_, index) => seq - 119 + index));
});

test.each([
  [8, 298_000],
  [32, 290_000],
  [512, 240_000],
])("with %d processes the past reaches back five minutes, minus one step", (count, reachMs) => {
  const history = new History();
  // As large as a busy worker's, with its gauges.
  const gauges = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`gauge_number_${n}`, 123.456]));
  const place = { machine: "web-1-k2f9", kind: "worker", pid: 100_000, state: "ready", uptime_s: 12_345 } as const;
  const rest = { ...NO_VITALS, restarts: 0, gauges, last_exit: null, leaving: 0 };
  const processes = Array.from({ length: count }, (_, id) => ({ ...place, ...rest, id }));

  for (let second = 0; second < 400; second += 1) {
    history.add({ ...snapshot(), processes });
    vi.advanceTimersByTime(1_000);
  }

  const { snapshots } = history;
  expect(Date.now() - (snapshots[0]?.at ?? 0)).toBeGreaterThan(reachMs);
  expect(JSON.stringify(snapshots).length).toBeLessThan(4.3 * 1024 * 1024);
});

test("a mark stays for five minutes, and is then gone", () => {
  const history = new History();
  history.mark({ type: "death", process: "worker 2", detail: "x".repeat(10_000) });

  const soon = history.marks();
  vi.advanceTimersByTime(299_000);
  const later = history.marks();
  vi.advanceTimersByTime(2_000);
  const tooLate = history.marks();

  expect(soon).toEqual([
    { id: 1, at: expect.any(Number), type: "death", process: "worker 2", detail: "x".repeat(200) },
  ]);
  expect(later).toEqual(soon);
  expect(tooLate).toEqual([]);
});

test("the newest 64 marks are kept", () => {
  const history = new History();

  for (let id = 1; id <= 100; id += 1) history.mark({ type: "reload", process: null, detail: String(id) });

  const marks = history.marks();
  expect(marks).toHaveLength(64);
  expect(marks.at(-1)).toMatchObject({ id: 100, detail: "100" });
});
