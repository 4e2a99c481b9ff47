import * as fc from "fast-check";
import { expect, test } from "vitest";
import { isTroubled, NEW, type Allowance } from "./allowance.ts";
import { ask, etaMs, isOpen } from "./asking.ts";
import { failed, heard, limited, succeeded, used } from "./outcomes.ts";

const NOW = 1_000_000_000;
const call = { rank: 0, tokens: 100 };
const calls = (count: number, rank = 0) => Array.from({ length: count }, () => ({ rank, tokens: 100 }));
const told = (limit: number, remaining = limit) => ({ requests: { limit, remaining } });

/** A model that has said that it allows `limit` requests a minute. */
function limitedTo(limit: number, remaining = limit): Allowance {
  const { next } = ask(NEW, "a", { asks: [call], now: NOW });
  return heard(next, told(limit, remaining), { nth: 1, now: NOW });
}

test("of a model that nobody has asked yet a few calls find out, and the others wait for them", () => {
  const first = ask(NEW, "a", { asks: calls(200), now: NOW });

  expect(first.granted).toBe(4);
  expect(ask(first.next, "b", { asks: calls(3), now: NOW }).granted).toBe(0);
  const open = heard(first.next, {}, { nth: 1, now: NOW });
  expect(isOpen({ ...open, demand: {} }, NOW)).toBe(true);
  expect(ask(open, "a", { asks: calls(196), now: NOW }).granted).toBe(196);
});

test("a model gets at most the requests a minute that it allows, from all processes, evenly spread", () => {
  let allowance = limitedTo(50, 49);
  let granted = 0;
  for (let now = NOW; now < NOW + 60_000; now += 500)
    for (const process of ["a", "b"]) {
      const asked = ask(allowance, process, { asks: calls(100), now });
      allowance = asked.next;
      granted += asked.granted;
    }

  // 49 calls were left at the start, and the minute gave back 48 or more.
  expect(granted).toBeGreaterThanOrEqual(49 + 48);
  expect(granted).toBeLessThanOrEqual(49 + 50);
});

test("what the server says remains counts, without what was let through since", () => {
  const asked = ask(limitedTo(50), "a", { asks: calls(10), now: NOW });

  // The answer to the second call: eight more calls were let through after it.
  const after = heard(asked.next, told(50, 20), { nth: 3, now: NOW });

  expect(after.buckets.requests).toEqual({ limit: 50, level: 12 });
});

test("calls of a lower rank wait while another process has one of a higher rank waiting, and only so long", () => {
  const empty = { ...limitedTo(60, 0), at: NOW };
  const first = ask(empty, "a", { asks: calls(1, 0), now: NOW }).next;

  expect(ask(first, "b", { asks: calls(1, 1), now: NOW + 2_000 })).toMatchObject({ granted: 0 });
  expect(ask(first, "a", { asks: calls(1, 0), now: NOW + 2_000 })).toMatchObject({ granted: 1 });
  // The process that asked has died.
  expect(ask(first, "b", { asks: calls(1, 1), now: NOW + 4_000 })).toMatchObject({ granted: 1 });
});

test.each([
  ["2 s behind", -2_000, 0],
  ["2 s ahead", 2_000, 0],
  ["an hour behind", -3_600_000, 1],
  ["an hour ahead", 3_600_000, 1],
])(
  "calls of a lower rank wait for those of a machine whose clock is %s: %i ms, %i may go",
  (_clock, offMs, granted) => {
    const demand = { a: { rank: 0, calls: 1, at: NOW + offMs } };

    expect(ask({ ...limitedTo(60), demand }, "b", { asks: calls(1, 1), now: NOW })).toMatchObject({ granted });
  },
);

test("a refusal holds all calls back for as long as the server asks, five minutes at most", () => {
  const refused = limited(limitedTo(50, 30), { waitMs: 20_000, now: NOW });

  expect(ask(refused, "a", { asks: [call], now: NOW + 19_999 })).toMatchObject({
    granted: 0,
    waitMs: 1,
    reason: "the model limits our requests",
  });
  expect(ask(refused, "a", { asks: [call], now: NOW + 20_000 }).granted).toBe(1);
  expect(limited(refused, { waitMs: 86_400_000, now: NOW }).blockedUntil).toBe(NOW + 300_000);
});

test("a limit that the server does not name is guessed from what it refused, and forgotten after a while", () => {
  const { next } = ask(heard(NEW, {}, { nth: 0, now: NOW }), "a", { asks: calls(50), now: NOW });
  const guessed = limited(next, { waitMs: 1_000, now: NOW });

  expect(guessed.buckets.requests?.limit).toBe(40);
  expect(isOpen({ ...guessed, demand: {} }, NOW + 301_000)).toBe(true);
});

test.each([
  [19, undefined],
  [20, 16],
])("from a refusal after %i calls within a minute the limit %s is guessed", (count, limit) => {
  const { next } = ask(heard(NEW, {}, { nth: 0, now: NOW }), "a", { asks: calls(count), now: NOW });

  expect(limited(next, { waitMs: 1_000, now: NOW }).buckets.requests?.limit).toBe(limit);
});

test("calls of an earlier minute say nothing about the limit", () => {
  const first = ask(heard(NEW, {}, { nth: 0, now: NOW }), "a", { asks: calls(19), now: NOW }).next;
  const second = ask(first, "a", { asks: calls(19), now: NOW + 60_000 }).next;

  expect(limited(second, { waitMs: 1_000, now: NOW + 60_000 }).buckets).toEqual({});
});

test("a failure that names a shorter wait does not shorten the longer one", () => {
  const refused = limited(limitedTo(50), { waitMs: 20_000, now: NOW });

  expect(failed(refused, { waitMs: 1_000, now: NOW }).blockedUntil).toBe(NOW + 20_000);
});

test("a call waits until the output tokens of earlier calls are made up for", () => {
  const asked = ask(NEW, "a", { asks: [call], now: NOW });
  const tokens = heard(asked.next, { output: { limit: 6_000, remaining: 100 } }, { nth: 1, now: NOW });
  const after = used(tokens, { input: 0, estimated: 0, output: 200 }, NOW);

  expect(ask(after, "a", { asks: [call], now: NOW + 1_000 })).toMatchObject({ granted: 0, waitMs: 10 });
  expect(ask(after, "a", { asks: [call], now: NOW + 1_010 }).granted).toBe(1);
});

test("tokens are taken by estimate and corrected later; a call above the limit waits for a full bucket", () => {
  const asked = ask(NEW, "a", { asks: [call], now: NOW });
  const tokens = heard(asked.next, { input: { limit: 1_000, remaining: 500 } }, { nth: 1, now: NOW });
  const { next } = ask(tokens, "a", { asks: [{ rank: 0, tokens: 400 }], now: NOW });
  expect(next.buckets.input?.level).toBe(100);

  const after = used(next, { input: 150, estimated: 400, output: 0 }, NOW);

  expect(after.buckets.input?.level).toBe(350);
  const huge = { asks: [{ rank: 0, tokens: 5_000 }], now: NOW };
  expect(ask(after, "a", huge)).toMatchObject({
    granted: 0,
    waitMs: 39_000,
    reason: "the model allows 1000 input tokens a minute",
  });
  expect(ask(after, "a", { ...huge, now: NOW + 39_000 }).granted).toBe(1);
});

test("ten failures in a row hold all calls back; then one at a time tries, and the first answer opens it", () => {
  let allowance: Allowance = heard(NEW, {}, { nth: 0, now: NOW });
  for (let at = 0; at < 10; at += 1) allowance = failed(allowance, { waitMs: undefined, now: NOW });

  expect(isTroubled(allowance)).toBe(true);
  // Calls that were under way when it opened may fail as well: that is no news.
  for (let at = 0; at < 9; at += 1) allowance = failed(allowance, { waitMs: undefined, now: NOW });
  expect(allowance.openings).toBe(1);
  expect(ask(allowance, "a", { asks: calls(3), now: NOW }).granted).toBe(0);
  const trial = ask(allowance, "a", { asks: calls(3), now: NOW + 5_000 });
  expect(trial.granted).toBe(1);
  expect(ask(trial.next, "b", { asks: calls(3), now: NOW + 5_000 }).granted).toBe(0);

  // Only the beginning of an answer came, so the next failure must open the breaker again.
  const begun = heard(trial.next, {}, { nth: trial.next.granted, now: NOW + 5_100 });
  expect(isTroubled(begun)).toBe(false);
  expect(isTroubled(failed(begun, { waitMs: undefined, now: NOW + 5_200 }))).toBe(true);
  expect(succeeded(begun)).toMatchObject({ failures: 0, openings: 0 });

  const well = heard(trial.next, {}, { nth: trial.next.granted, now: NOW + 5_100 });
  expect(ask(well, "b", { asks: calls(3), now: NOW + 5_100 }).granted).toBe(3);
  const still = failed(trial.next, { waitMs: undefined, now: NOW + 5_100 });
  expect(ask(still, "b", { asks: calls(3), now: NOW + 5_101 }).granted).toBe(0);
});

test("a trial whose process died is not waited for for ever", () => {
  let allowance: Allowance = heard(NEW, {}, { nth: 0, now: NOW });
  for (let at = 0; at < 10; at += 1) allowance = failed(allowance, { waitMs: undefined, now: NOW });
  const trial = ask(allowance, "a", { asks: [call], now: NOW + 5_000 }).next;

  expect(ask(trial, "b", { asks: [call], now: NOW + 21_000 }).granted).toBe(1);
});

test("calls whose process died make later trials no rarer", () => {
  let allowance = ask(limitedTo(1_000), "dead", { asks: calls(30), now: NOW }).next;
  let now = NOW + 3_600_000;
  for (let at = 0; at < 10; at += 1) allowance = failed(allowance, { waitMs: undefined, now });
  let trials = 0;
  for (const end = now + 120_000; now < end; now += 50) {
    const { next, granted } = ask(allowance, "a", { asks: [call], now });
    trials += granted;
    allowance = granted > 0 ? failed(next, { waitMs: undefined, now }) : next;
  }

  // The pause between two trials is at most 5 s.
  expect(trials).toBeGreaterThanOrEqual(24);
});

test("a clock that was set back, or ahead and back, stops nothing for longer than five minutes", () => {
  fc.assert(
    fc.property(fc.integer({ min: -2 * 86_400_000, max: 2 * 86_400_000 }), (jumpMs) => {
      const refused = limited(limitedTo(50, 30), { waitMs: 10_000, now: NOW + jumpMs });
      const filled = ask(refused, "a", { asks: [call], now: NOW }).next;

      expect(ask(filled, "a", { asks: [call], now: NOW + 301_000 }).granted).toBe(1);
      const { next } = ask(heard(NEW, {}, { nth: 0, now: NOW }), "a", { asks: calls(50), now: NOW + jumpMs });
      const guessed = ask(limited(next, { waitMs: 10, now: NOW + jumpMs }), "a", { asks: calls(50), now: NOW }).next;
      expect(ask(guessed, "b", { asks: calls(1, 2), now: NOW + 301_000 }).granted).toBe(1);
      expect(isOpen({ ...guessed, demand: {} }, NOW + 301_000)).toBe(true);
    }),
  );
});

test("the time that a call is told to wait is about what it waits", () => {
  expect(etaMs(limitedTo(60, 0), 0, NOW)).toBe(1_000);
  expect(etaMs(limitedTo(60, 0), 9, NOW)).toBe(10_000);
  expect(etaMs(limited(limitedTo(60, 0), { waitMs: 5_000, now: NOW }), 0, NOW)).toBe(6_000);
});
