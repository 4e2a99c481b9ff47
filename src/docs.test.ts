/** The pages of the documentation name only files that exist. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "..");
const PAGES = globSync(["*.md", "docs/**/*.md"], { cwd: ROOT });
const LINK = /\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)/g;

test.each(PAGES)("every link of %s leads to a file", (page) => {
  const targets = [...readFileSync(join(ROOT, page), "utf8").matchAll(LINK)].map(([, target = ""]) => target);
  expect(targets.filter((target) => !existsSync(resolve(ROOT, dirname(page), target)))).toEqual([]);
});

test("the glossary and the tables of the architecture name files that exist", () => {
  const page = readFileSync(join(ROOT, "ARCHITECTURE.md"), "utf8");
  const named = [...page.matchAll(/`((?:src|bench|config|docs)\/[\w./-]+)`/g)].map(([, path = ""]) => path);
  expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});

test("the dashboard for Grafana asks for metrics that exist", () => {
  const dashboard = readFileSync(join(ROOT, "docs/grafana.json"), "utf8");
  const told = readFileSync(join(ROOT, "src/observe/metric-table.ts"), "utf8");
  const asked = new Set(dashboard.match(/evenkeel_\w+/g));
  expect(asked.size).toBeGreaterThan(10);
  expect([...asked].filter((name) => !told.includes(`"${name}"`))).toEqual([]);
});
