import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Reading } from "./feed.ts";
import { Frame } from "./frame.ts";
import { Pages } from "./pages.ts";

type Read = (after: number) => Promise<Reading>;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A source whose reads are counted: ten frames a page, up to `newest`. */
function source(newest: number) {
  return vi.fn<Read>(async (after) => {
    const count = Math.max(0, Math.min(10, newest - after));
    const frames = Array.from({ length: count }, (_, index) => frame(after + index + 1));
    return { frames, over: false };
  });
}

const frame = (seq: number, json = "{}") => new Frame({ seq, at: 0, last: false, json });

/** A page of one event of `characters`, wherever it is read. */
function largeSource(characters: number) {
  return vi.fn<Read>(async (after) => ({ frames: [frame(after + 1, "x".repeat(characters))], over: false }));
}

test("those who catch up together read each page once, and get the same frames", async () => {
  const [pages, read] = [new Pages(), source(30)];
  const catchUp = async () => [
    await pages.get("run a", 0, read),
    await pages.get("run a", 10, read),
    await pages.get("run a", 20, read),
  ];

  const first = await catchUp();
  const second = await catchUp();

  expect(read).toHaveBeenCalledTimes(3);
  expect(second.flatMap(({ frames }) => frames)).toEqual(first.flatMap(({ frames }) => frames));
});

test("those who ask in the same moment share one read", async () => {
  const [pages, read] = [new Pages(), source(30)];

  const readings = await Promise.all([0, 0, 0, 0].map((after) => pages.get("run a", after, read)));

  expect(read).toHaveBeenCalledOnce();
  expect(new Set(readings.flatMap(({ frames }) => frames)).size).toBe(10);
});

test("that there was nothing for another is no answer to who asked meanwhile: news may have come", async () => {
  const pages = new Pages();
  const [first, second] = [Promise.withResolvers<Reading>(), { frames: [frame(6)], over: false }];
  const read = vi.fn<Read>(async () => second).mockReturnValueOnce(first.promise);
  const both = Promise.all([pages.get("run a", 5, read), pages.get("run a", 5, read)]);

  first.resolve({ frames: [], over: false });

  expect((await both).map(({ frames }) => frames.length)).toEqual([0, 1]);
});

test("a read that failed is not shared with who comes later", async () => {
  const pages = new Pages();
  const read = vi.fn<Read>(source(5)).mockRejectedValueOnce(new Error("The disk is in trouble."));

  await expect(pages.get("run a", 0, read)).rejects.toThrow("trouble");

  expect((await pages.get("run a", 0, read)).frames).toHaveLength(5);
});

test("feeds and positions are not mixed up", async () => {
  const pages = new Pages();
  const [a, b] = [source(5), source(8)];

  const read = [await pages.get("run 1", 1, a), await pages.get("run 1 1", 0, b), await pages.get("run 11", 1, b)];

  expect(read.map(({ frames }) => frames.length)).toEqual([4, 8, 7]);
});

test("that there is nothing is asked anew each time", async () => {
  const [pages, read] = [new Pages(), source(5)];

  await pages.get("run a", 5, read);
  await pages.get("run a", 5, read);

  expect(read).toHaveBeenCalledTimes(2);
});

test("a page is forgotten a second later: its thread may have been deleted", async () => {
  const [pages, read] = [new Pages(), source(5)];

  await pages.get("run a", 0, read);
  vi.advanceTimersByTime(1_000);
  await pages.get("run a", 0, read);

  expect(read).toHaveBeenCalledTimes(2);
});

test("few pages are kept, the newest", async () => {
  const [pages, read] = [new Pages(), source(1_000)];
  for (let after = 0; after < 500; after += 10) await pages.get("run a", after, read);
  read.mockClear();

  await pages.get("run a", 490, read);
  await pages.get("run a", 0, read);

  expect(read.mock.calls).toEqual([[0]]);
});

test("large pages are fewer, and the newest of them are kept", async () => {
  const [pages, read] = [new Pages(), largeSource(400_000)];
  for (let after = 0; after < 5; after += 1) await pages.get("run a", after, read);
  read.mockClear();

  for (const after of [3, 4, 2]) await pages.get("run a", after, read);

  expect(read.mock.calls).toEqual([[2]]);
});

test("a page that is larger than all may be together is not kept, and drives out no other", async () => {
  const [pages, small, huge] = [new Pages(), source(5), largeSource(2_000_000)];
  await pages.get("run a", 0, small);

  for (let count = 0; count < 2; count += 1) await pages.get("run b", 0, huge);
  await pages.get("run a", 0, small);

  expect([small.mock.calls.length, huge.mock.calls.length]).toEqual([1, 2]);
});

test("once nobody reads, nothing is kept and nothing is timed", async () => {
  const [pages, read] = [new Pages(), source(100)];
  for (let after = 0; after < 100; after += 10) {
    await pages.get("run a", after, read);
    vi.advanceTimersByTime(100);
  }
  expect(pages.keptCharacters).toBeGreaterThan(0);

  vi.advanceTimersByTime(2_000);

  expect([pages.keptCharacters, vi.getTimerCount()]).toEqual([0, 0]);
});
