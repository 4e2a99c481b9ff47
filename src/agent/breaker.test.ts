import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { startCluster } from "../testing/cluster.ts";
import { modelCallsIn } from "../testing/journal.ts";
import { Breaker, type Passage } from "./breaker.ts";

const NEVER = new AbortController().signal;
const LONGEST_MS = 5_000;
const down = new Error("the model is down");

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

async function failTimes(breaker: Breaker, times: number): Promise<void> {
  for (let failures = 0; failures < times; failures += 1) {
    const passage = await breaker.enter(NEVER);
    passage.failed(down);
    passage.leave();
  }
}

async function opened(): Promise<Breaker> {
  const breaker = new Breaker();
  await failTimes(breaker, 10);
  return breaker;
}

/** Calls that come while it is open, and what became of them so far. */
function callers(breaker: Breaker, count: number) {
  const passed: Passage[] = [];
  const failed: unknown[] = [];
  for (let caller = 0; caller < count; caller += 1)
    breaker.enter(NEVER).then(
      (passage) => passed.push(passage),
      (error: unknown) => failed.push(error),
    );
  return { passed, failed };
}

/** Fake timers leave promises to themselves: a few turns for what follows from them. */
async function after(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

test("it opens after failure upon failure, and a whole answer in between begins the count anew", async () => {
  const breaker = new Breaker();

  await failTimes(breaker, 9);
  (await breaker.enter(NEVER)).succeeded();
  await failTimes(breaker, 9);
  expect(breaker.isOpen).toBe(false);
  await failTimes(breaker, 1);

  expect(breaker.isOpen).toBe(true);
  expect(breaker.waitMs).toBeGreaterThan(0);
});

test("while it is open nobody passes; then one does, and when the model speaks to it, all do", async () => {
  const breaker = await opened();
  const { passed } = callers(breaker, 5);

  await after(0);
  expect(passed).toHaveLength(0);
  await after(LONGEST_MS);
  expect(passed).toHaveLength(1);
  passed[0]?.heard();
  await after(0);

  expect(passed).toHaveLength(5);
  expect(breaker).toMatchObject({ isOpen: false, waitMs: 0 });
});

test("when the one fails, it fails for all that waited, and those who come then wait", async () => {
  const breaker = await opened();
  const { passed, failed } = callers(breaker, 5);

  await after(LONGEST_MS);
  passed[0]?.failed(down);
  passed[0]?.leave();
  await after(0);

  expect(failed).toEqual([down, down, down, down]);
  const { passed: later } = callers(breaker, 1);
  await after(0);
  expect(later).toHaveLength(0);
});

test("the pause grows with each trial that fails, up to its longest", async () => {
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  const breaker = await opened();
  const pauses = [breaker.waitMs];

  while (pauses.length < 6) {
    await after(LONGEST_MS);
    await failTimes(breaker, 1);
    pauses.push(breaker.waitMs);
  }

  expect(pauses).toEqual([...new Set(pauses.slice(0, 4)), ...pauses.slice(4)].toSorted((a, b) => a - b));
  expect(pauses.at(-1)).toBe(pauses.at(-2));
  expect(pauses.at(-1)).toBeLessThanOrEqual(LONGEST_MS);
});

test("one that leaves without a verdict lets the next one try", async () => {
  const breaker = await opened();
  const { passed, failed } = callers(breaker, 2);

  await after(LONGEST_MS);
  passed[0]?.leave();
  await after(0);

  expect(passed).toHaveLength(2);
  expect(failed).toEqual([]);
});

test("one that is canceled while it waits is not the one that tries", async () => {
  const breaker = await opened();
  const cancel = new AbortController();
  const canceled = breaker.enter(cancel.signal).catch((error: unknown) => error);
  const { passed } = callers(breaker, 1);

  cancel.abort(new Error("canceled"));
  await after(LONGEST_MS);

  expect(await canceled).toEqual(new Error("canceled"));
  expect(passed).toHaveLength(1);
});

test("of those who come when one may try, the first does, and the others wait for its verdict", async () => {
  const breaker = await opened();
  await after(LONGEST_MS);
  const { passed } = callers(breaker, 3);

  await after(0);

  expect(passed).toHaveLength(1);
});

test("one that is canceled as it is let through, too late to try, goes at once", async () => {
  const breaker = await opened();
  const cancel = new AbortController();
  const late = breaker.enter(cancel.signal).catch((error: unknown) => error);
  // In the same turn: it is let through, another is faster, and it is canceled.
  vi.advanceTimersByTime(LONGEST_MS);
  const { passed } = callers(breaker, 1);
  cancel.abort(new Error("canceled"));

  expect(await late).toEqual(new Error("canceled"));
  expect(passed).toHaveLength(1);
});

test("a server's Retry-After is honoured", async () => {
  const breaker = await opened();
  await after(LONGEST_MS);
  const passage = await breaker.enter(NEVER);

  passage.failed(down, 45_000);

  expect(breaker.waitMs).toBe(45_000);
});

test("many runs of a model that is down send it few requests, each ends, and one that the model answers goes through", async () => {
  vi.useRealTimers();
  await using cluster = await startCluster();

  const runs = Array.from({ length: 30 }, () => cluster.client.begin("/sim status=500", { timeout_ms: 8_000 }));
  const runIds = await Promise.all(runs);
  await Promise.all(runIds.map(async (runId) => (await cluster.client.follow(runId)).text()));

  const journals = await Promise.all(runIds.map((runId) => cluster.client.events(runId)));
  expect(journals.map((events) => events.at(-1)?.["code"])).toEqual(runIds.map(() => "MODEL_UNAVAILABLE"));
  const { requests } = cluster.simulator.stats();
  // Without it: 4 or 5 attempts of each, 120 at least.
  expect(requests).toBeLessThan(60);
  expect(journals.reduce((total, events) => total + modelCallsIn(events), 0)).toBe(requests);
  expect((await cluster.client.chat("/sim tokens=2")).body.reply).toBe("tok1 tok2");
});
