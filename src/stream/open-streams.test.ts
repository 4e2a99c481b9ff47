import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { OpenStreams } from "./open-streams.ts";

const PING_MS = 15_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

class FakeStream {
  pings = 0;
  close = () => {};
  ping = () => void (this.pings += 1);
  leave = vi.fn<() => void>();
  onClose = (listener: () => void) => void (this.close = listener);
}

function openMany(count: number) {
  const streams = new OpenStreams<FakeStream>();
  const fakes = Array.from({ length: count }, () => new FakeStream());
  for (const fake of fakes) streams.add(fake);
  return { streams, fakes };
}

const pingsOf = (fakes: readonly FakeStream[]) => fakes.map(({ pings }) => pings);
const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

test("each is pinged once in 15 s, and never many in one go", () => {
  const { streams, fakes } = openMany(1_600);
  let most = 0;

  for (let ms = 0; ms < PING_MS; ms += 1) {
    const before = sum(pingsOf(fakes));
    vi.advanceTimersByTime(1);
    most = Math.max(most, sum(pingsOf(fakes)) - before);
  }

  expect(new Set(pingsOf(fakes))).toEqual(new Set([1]));
  expect(most).toBeLessThanOrEqual(100);
  streams.stop();
});

test("what is closed is neither pinged nor sent away", () => {
  const { streams, fakes } = openMany(40);
  for (const fake of fakes.slice(0, 20)) fake.close();

  vi.advanceTimersByTime(2 * PING_MS);
  expect(streams.size).toBe(20);
  streams.stop();

  expect(sum(pingsOf(fakes.slice(0, 20)))).toBe(0);
  expect(new Set(pingsOf(fakes.slice(20)))).toEqual(new Set([2]));
  expect(fakes.map(({ leave }) => leave.mock.calls.length)).toEqual(fakes.map((_, index) => (index < 20 ? 0 : 1)));
  expect(vi.getTimerCount()).toBe(0);
});

test("what is opened during a drain is sent away at once", () => {
  const { streams } = openMany(0);
  const late = new FakeStream();
  streams.stop();

  streams.add(late);

  expect(late.leave).toHaveBeenCalledOnce();
});
