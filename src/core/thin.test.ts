import { expect, test } from "vitest";
import { thin, type Dated } from "./thin.ts";

const BOUNDS = { entries: 1_000, characters: 30_000 };

/** One entry a second for `seconds`, thinned after each as the history does. */
function grown(seconds: number, characters: number): readonly Dated[] {
  let kept: readonly Dated[] = [];
  for (let second = 0; second < seconds; second += 1) {
    const recent = kept.filter(({ at }) => at > (second - 300) * 1_000);
    kept = thin([...recent, { at: second * 1_000, characters }], BOUNDS);
  }
  return kept;
}

const stepsOf = (entries: readonly Dated[]) => entries.slice(1).map(({ at }, index) => at - (entries[index]?.at ?? 0));

test("what is within the bounds stays as it is", () => {
  expect(grown(600, 100)).toHaveLength(300);
});

test.each([
  [200, 295_000],
  [1_000, 275_000],
  [4_000, 210_000],
])("entries of %d characters, of which fewer fit, reach back nearly as far", (characters, reachMs) => {
  const kept = grown(900, characters);

  expect(kept.reduce((sum, entry) => sum + entry.characters, 0)).toBeLessThanOrEqual(BOUNDS.characters);
  const [first, last] = [kept[0]?.at ?? 0, kept.at(-1)?.at ?? 0];
  expect(last).toBe(899_000);
  // The one before the first has just left: five minutes minus one step.
  expect(last - first).toBeGreaterThan(reachMs);
  expect(Math.max(...stepsOf(kept))).toBeLessThan((6 * 300_000) / kept.length);
});

test("entries are closer to each other near now than long ago", () => {
  const steps = stepsOf(grown(900, 1_000));

  expect(Math.max(...steps.slice(-5))).toBeLessThan(Math.max(...steps.slice(0, 5)));
});

test("an entry larger than the bound is kept, with the oldest one", () => {
  expect(grown(10, 50_000).map(({ at }) => at)).toEqual([0, 9_000]);
});
