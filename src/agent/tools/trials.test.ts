import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Trials, type Call } from "./trials.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A tool call that runs until the test ends it, and tells whether it has begun. */
function begin(trials: Trials, call: Partial<Call> & { runId: string }) {
  const { promise, resolve: end } = Promise.withResolvers<void>();
  const state = { begun: false, end };
  const signal = call.signal ?? new AbortController().signal;
  const done = trials.run({ trialMs: 0, ...call, signal }, () => {
    state.begun = true;
    return promise;
  });
  return Object.assign(state, { done });
}

const turns = () => vi.advanceTimersByTimeAsync(0);

test("calls of runs that are no suspects work side by side", async () => {
  const trials = new Trials();
  const calls = [begin(trials, { runId: "a" }), begin(trials, { runId: "b" })];
  await turns();

  expect(calls.map(({ begun }) => begun)).toEqual([true, true]);
});

test("a suspect waits until no other run's tool works, then works alone, and the others go on after it", async () => {
  const trials = new Trials();
  const before = begin(trials, { runId: "a" });
  const suspect = begin(trials, { runId: "suspect", trialMs: 5_000 });
  const after = begin(trials, { runId: "b" });
  await turns();
  expect([suspect.begun, after.begun]).toEqual([false, false]);

  before.end();
  await turns();
  expect([suspect.begun, after.begun]).toEqual([true, false]);

  suspect.end();
  await turns();
  expect(after.begun).toBe(true);
});

test("all calls of a suspect's answer are tried together", async () => {
  const trials = new Trials();
  const calls = [1, 2].map(() => begin(trials, { runId: "suspect", trialMs: 5_000 }));
  await turns();

  expect(calls.map(({ begun }) => begun)).toEqual([true, true]);
});

test("a suspect works alone until the last of its calls has ended", async () => {
  const trials = new Trials();
  const [first, last] = [1, 2].map(() => begin(trials, { runId: "suspect", trialMs: 5_000 }));
  const other = begin(trials, { runId: "other" });
  await turns();

  first?.end();
  await turns();
  expect(other.begun).toBe(false);

  last?.end();
  await turns();
  expect(other.begun).toBe(true);
});

test("two suspects never work side by side, and what waits between them goes first", async () => {
  const trials = new Trials();
  const first = begin(trials, { runId: "first", trialMs: 5_000 });
  const second = begin(trials, { runId: "second", trialMs: 5_000 });
  const other = begin(trials, { runId: "other" });
  await turns();
  expect([first.begun, second.begun, other.begun]).toEqual([true, false, false]);

  first.end();
  await turns();
  expect([second.begun, other.begun]).toEqual([false, true]);

  other.end();
  await turns();
  expect(second.begun).toBe(true);
});

test("a suspect that works on after its time lets the others in", async () => {
  const trials = new Trials();
  begin(trials, { runId: "suspect", trialMs: 5_000 });
  const other = begin(trials, { runId: "other" });

  await vi.advanceTimersByTimeAsync(4_999);
  expect(other.begun).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(other.begun).toBe(true);
});

test("a suspect waits for a long call no longer than its time, then works beside it, and so do the others", async () => {
  const trials = new Trials();
  begin(trials, { runId: "long" });
  const suspect = begin(trials, { runId: "suspect", trialMs: 5_000 });
  const other = begin(trials, { runId: "other" });

  await vi.advanceTimersByTimeAsync(4_999);
  expect([suspect.begun, other.begun]).toEqual([false, false]);
  await vi.advanceTimersByTimeAsync(1);
  expect([suspect.begun, other.begun]).toEqual([true, true]);
});

test("a suspect that is canceled while it waits makes way, and never works", async () => {
  const trials = new Trials();
  const long = begin(trials, { runId: "long" });
  const cancel = new AbortController();
  const suspect = begin(trials, { runId: "suspect", trialMs: 5_000, signal: cancel.signal });
  const other = begin(trials, { runId: "other" });

  cancel.abort(new Error("canceled"));

  await expect(suspect.done).rejects.toThrow("canceled");
  expect(other.begun).toBe(true);
  long.end();
  await turns();
  expect(suspect.begun).toBe(false);
  expect(vi.getTimerCount()).toBe(0);
});

test("a call that fails makes way like one that ends", async () => {
  const trials = new Trials();
  const signal = new AbortController().signal;
  const failing = trials.run({ runId: "suspect", trialMs: 5_000, signal }, () => Promise.reject(new Error("broken")));
  await expect(failing).rejects.toThrow("broken");
  const other = begin(trials, { runId: "other" });
  await turns();

  expect(other.begun).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
});
