import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Turnstile, type Kind } from "./turnstile.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const PLACES = 2;

/** A turnstile whose places are taken, until `free` is called. */
function full() {
  const turnstile = new Turnstile(PLACES);
  const taken = Array.from({ length: PLACES }, () => Promise.withResolvers<void>());
  for (const { promise } of taken) void turnstile.pass("request", () => promise);
  return { turnstile, free: () => taken.pop()?.resolve() };
}

test("no more callers pass at once than there are places", async () => {
  const turnstile = new Turnstile(PLACES);
  let [inside, most] = [0, 0];
  const use = async () => {
    most = Math.max(most, (inside += 1));
    await Promise.resolve();
    inside -= 1;
  };

  await Promise.all(Array.from({ length: 20 }, () => turnstile.pass("request", use)));

  expect([most, inside]).toEqual([PLACES, 0]);
});

test("a request that waits for 5 s is refused, and work waits on", async () => {
  const { turnstile, free } = full();
  const passed = vi.fn<() => Promise<void>>().mockResolvedValue();
  const refused = turnstile.pass("request", passed).catch((error: unknown) => error);
  const work = turnstile.pass("work", passed);

  await vi.advanceTimersByTimeAsync(30_000);
  expect(await refused).toMatchObject({ code: "STORAGE_UNAVAILABLE", retryAfterS: 1 });
  expect(passed).not.toHaveBeenCalled();
  free();
  await work;
  expect(passed).toHaveBeenCalledOnce();
});

test("work comes before requests, and each line is in order", async () => {
  const { turnstile, free } = full();
  const order: string[] = [];
  const pass = (kind: Kind, name: string) => turnstile.pass(kind, async () => void order.push(name));
  const all = [
    pass("request", "request 1"),
    pass("request", "request 2"),
    pass("work", "work 1"),
    pass("work", "work 2"),
  ];

  free();
  await Promise.all(all);

  expect(order).toEqual(["work 1", "work 2", "request 1", "request 2"]);
});

test("a caller that fails frees its place", async () => {
  const turnstile = new Turnstile(1);
  await expect(turnstile.pass("work", () => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
  expect(await turnstile.pass("work", () => Promise.resolve("next"))).toBe("next");
});
