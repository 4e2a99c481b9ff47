import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { askFileHead } from "./files.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("a file is gone only when the server says so; until it answers it is asked again", async () => {
  const answers = [Promise.reject(new TypeError("network")), new Response(null, { status: 503 })];
  vi.stubGlobal("fetch", async () => answers.shift() ?? new Response(null, { status: 404 }));
  const tell = vi.fn<(head: unknown) => void>();

  void askFileHead("f", new AbortController().signal, tell);
  await vi.advanceTimersByTimeAsync(500);
  expect(tell).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(10_000);

  expect(tell.mock.calls).toEqual([[null]]);
});

test("nobody is asked for a file any more after its page was left", async () => {
  const asked = vi.fn<() => Promise<Response>>().mockRejectedValue(new TypeError("network"));
  vi.stubGlobal("fetch", asked);
  const left = new AbortController();

  void askFileHead("f", left.signal, () => {});
  await vi.advanceTimersByTimeAsync(500);
  left.abort();
  await vi.advanceTimersByTimeAsync(60_000);

  expect(asked).toHaveBeenCalledOnce();
});
