import { expect, test } from "vitest";
import type { Held } from "./held.ts";
import type { Sample } from "./samples.ts";
import { leastSquares, verdicts } from "./verdict.ts";

const MB = 2 ** 20;

/** What a process holds at an hour of the soak; undefined: it is not there. */
type Holds = (hours: number, index: number) => Partial<Pick<Held, "rssBytes" | "jsBytes">> | undefined;

interface Soak {
  readonly worker?: Holds;
  readonly storedMb?: (hours: number) => number;
  readonly restarts?: number;
}

const STEADY: Holds = () => ({ rssBytes: 100 * MB });

/** Four hours with 100 samples an hour, of one worker. */
function soakOf({ worker = STEADY, storedMb = () => 10, restarts = 0 }: Soak): Sample[] {
  return Array.from({ length: 401 }, (_, index) => {
    const hours = index / 100;
    const held = worker(hours, index);
    const whole = { at: 0, rssBytes: 0, jsBytes: 50 * MB, ...held };
    return {
      hours,
      held: new Map(held ? [["worker 1 (pid 7)", whole]] : []),
      storedBytes: storedMb(hours) * MB,
      cpuMs: hours * 3_600_000 * 0.05,
      restarts: index === 400 ? restarts : 0,
    };
  });
}

/** Noise of ±`mb`, in turns: it is no growth. */
const noise = (mb: number, index: number) => (index % 2 === 0 ? mb : -mb) * MB;

test.each<[string, Holds, string]>([
  ["does not grow", STEADY, "ok"],
  ["shrinks", (hours) => ({ rssBytes: (200 - 10 * hours) * MB }), "ok"],
  ["grows by 0.9 MB an hour", (hours) => ({ rssBytes: (100 + 0.9 * hours) * MB }), "ok"],
  ["grows by 1.1 MB an hour", (hours) => ({ rssBytes: (100 + 1.1 * hours) * MB }), "missed"],
  [
    "grows by 1.1 MB an hour, as far as noise lets see",
    (h, n) => ({ rssBytes: (99 + 1.1 * h) * MB + noise(5, n) }),
    "unclear",
  ],
  ["grows by 3 MB an hour in spite of noise", (h, n) => ({ rssBytes: (99 + 3 * h) * MB + noise(5, n) }), "missed"],
  ["grows while it warms up, in the first half", (h) => ({ rssBytes: (100 + 50 * Math.min(2, h)) * MB }), "ok"],
  ["grows after that", (hours) => ({ rssBytes: (100 + 50 * Math.max(0, hours - 2)) * MB }), "missed"],
  ["grows outside of JavaScript", (hours) => ({ rssBytes: (100 + 5 * hours) * MB, jsBytes: 50 * MB }), "missed"],
  ["came in the last quarter", (hours) => (hours > 3.1 ? { rssBytes: 1_000 * hours * MB } : undefined), "not judged"],
])("a process that %s", (_, worker, expected) => {
  const [growth] = verdicts(soakOf({ worker }));

  expect(growth?.is).toBe(expected);
});

test("the line says the growth with its uncertainty, the mean, and the part of JavaScript", () => {
  const [growth] = verdicts(
    soakOf({ worker: (hours) => ({ rssBytes: (97 + hours) * MB, jsBytes: (20 - 2 * hours) * MB }) }),
  );

  expect(growth?.line).toBe(
    "worker 1 (pid 7): 1.00 ± 0.00 MB/h at 100 MB (≤ 1 MB/h) ok; JavaScript -2.00 ± 0.00 MB/h at 14 MB",
  );
});

test.each<[string, (hours: number) => number, string]>([
  ["stays", () => 10, "ok"],
  ["grows while it fills up, in the first quarter", (hours) => 10 * Math.min(1, hours), "ok"],
  ["is a tenth larger in the last quarter", (hours) => (hours < 3 ? 10 : 10.9), "ok"],
  ["is more than a tenth larger in the last quarter", (hours) => (hours < 3 ? 10 : 11.1), "missed"],
  ["has one peak in the last quarter", (hours) => (hours === 3.5 ? 20 : 10), "missed"],
  ["is larger in the third quarter only", (hours) => (hours > 2.1 && hours < 2.9 ? 20 : 10), "ok"],
])("what is stored %s: %#", (_, storedMb, expected) => {
  const stored = verdicts(soakOf({ storedMb })).find(({ line }) => line.startsWith("stored"));

  expect(stored?.is).toBe(expected);
});

test("a replaced process is a miss, and the CPU is that of the whole tree", () => {
  const [last, bad] = [verdicts(soakOf({})).at(-1), verdicts(soakOf({ restarts: 1 })).at(-1)];

  expect(last).toEqual({ is: "ok", line: "replaced processes: 0 (0) ok; CPU of the tree: 5.0 % of a core" });
  expect(bad?.is).toBe("missed");
});

test("without a sample nothing is ok", () => {
  expect(verdicts([]).at(-1)).toEqual({ is: "missed", line: "no samples" });
});

test("the slope of a line has the standard error of its points", () => {
  const points = [1, 2, 3, 4, 5].map((x, index) => ({ x, y: [2, 4, 5, 4, 5][index] ?? 0 }));

  const { slope, error, mean } = leastSquares(points);

  // By hand: the residuals' squares sum up to 2.4, so the error is √(2.4 / 3 / 10).
  expect(slope).toBeCloseTo(0.6, 10);
  expect(error).toBeCloseTo(0.282_842_712, 8);
  expect(mean).toBe(4);
});
