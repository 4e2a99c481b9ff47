/** Comments name their subject: a comment that begins with a pronoun makes its reader search for it. */
import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "..");
const FILES = globSync(
  ["src/**/*.{ts,tsx}", "bench/**/*.ts", "chaos/**/*.ts", "config/**/*.ts", "examples/**/*.{ts,tsx,js}"],
  {
    cwd: ROOT,
  },
);
const BEGINS_WITHOUT_NOUN =
  /^\s*(?:\/\/|\/\*\*|\*) (?:Who|Whoever|Those|One (?:that|who|of)|Of (?:those|these)|What (?:is|was|comes|has)|So (?:long|many)|That (?:it|there)|It (?:is|was|has)) /;

test("no comment of the code begins without its noun", () => {
  const found = FILES.filter((file) => !file.includes(".test.") && !file.includes(".contract.")).flatMap((file) =>
    readFileSync(join(ROOT, file), "utf8")
      .split("\n")
      .flatMap((line, index) => (BEGINS_WITHOUT_NOUN.test(line) ? [`${file}:${index + 1}: ${line.trim()}`] : [])),
  );
  expect(found).toEqual([]);
});
