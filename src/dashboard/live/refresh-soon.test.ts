import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { RefreshSoon } from "./refresh-soon.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("a burst is one request, soon; what goes on and on is one a second", () => {
  const at: number[] = [];
  const begun = performance.now();
  const soon = new RefreshSoon(() => {
    soon.noteRequest();
    at.push(performance.now() - begun);
  });
  for (let reason = 0; reason < 25; reason += 1) {
    soon.request();
    vi.advanceTimersByTime(100);
  }

  expect(at).toEqual([150, 1_150, 2_150]);
});

test("one that is stopped asks for nothing any more", () => {
  const work = vi.fn<() => void>();
  const soon = new RefreshSoon(work);
  soon.request();

  soon.stop();
  vi.advanceTimersByTime(5_000);

  expect(work).not.toHaveBeenCalled();
});
