/**
 * No regular expression of ours takes more than linear time, whatever it is given: one that does holds up every
 * request of its process. `scslre` reads each one and names what could make it backtrack or start anew at every
 * character. It is the check for the kind; tests with hostile input are beside the code.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { analyse } from "scslre";
import { expect, test } from "vitest";
import { parseSync } from "vite";

interface Pattern {
  readonly source: string;
  readonly flags: string;
}

test("every regular expression takes linear time on any input", () => {
  const files = execFileSync("git", ["ls-files", "*.ts", "*.tsx", "*.js"], { encoding: "utf8" }).trim().split("\n");
  // Fixtures misbehave on purpose.
  const ours = files.filter((file) => !/\.test\.tsx?$|^src\/testing\/|\/fixtures\//.test(file));

  const patterns = ours.flatMap((file) => patternsIn(file).map((pattern) => ({ file, pattern })));
  const slow = patterns.filter(({ pattern }) => !isLinear(pattern));

  expect(patterns.length).toBeGreaterThan(50);
  expect(slow.map(({ file, pattern: { source, flags } }) => `${file}: /${source}/${flags}`)).toEqual([]);
});

test.each([
  [false, "a+$"],
  [false, "(a+)+b"],
  [false, "\\s*x?\\s*y"],
  [false, "^\\d+\\.?\\d*$"],
  [true, "^\\d+(\\.\\d+)?$"],
])("it is %s that /%s/ takes linear time", (linear, source) => {
  expect(isLinear({ source, flags: "" })).toBe(linear);
});

function isLinear(pattern: Pattern): boolean {
  return analyse(pattern).reports.length === 0;
}

/** The literals of one file. A `new RegExp(…)` is not seen: write it so that it needs no second look. */
function patternsIn(file: string): Pattern[] {
  const found: Pattern[] = [];
  const pending: unknown[] = [parseSync(file, readFileSync(file, "utf8")).program];
  while (pending.length > 0) {
    const node = pending.pop();
    if (typeof node !== "object" || node === null) continue;
    if ("regex" in node) {
      const { pattern, flags } = node.regex as { readonly pattern: string; readonly flags: string };
      found.push({ source: pattern, flags });
    } else pending.push(...Object.values(node));
  }
  return found;
}
