/** The pages of the documentation name only files that exist, and what the contract has. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { ROUTES } from "./api/routes.ts";

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

test("the table of routes names each query parameter of the routes in it", () => {
  const rows = read("docs/api.md").match(/^\| `GET .*$/gm) ?? [];
  const missing = ROUTES.flatMap(({ method, path, query }) => {
    const address = `${method} ${path.replace(/\{\w+_id\}/, "{id}")}`;
    const row = rows.find((line) => line.startsWith(`| \`${address}\``) || line.startsWith(`| \`${address}?`));
    const names = row !== undefined && query instanceof z.ZodObject ? Object.keys(query.shape) : [];
    return names.filter((name) => !new RegExp(`[\`?]${name}[\`=]`).test(row ?? "")).map((name) => `${address} ${name}`);
  });
  expect(rows.length).toBeGreaterThan(10);
  expect(missing).toEqual([]);
});

const GRAFANA = metricsIn("docs/grafana.json");

test("the dashboard for Grafana asks for metrics that exist", () => {
  const told = ["src/observe/metric-table.ts", "src/observe/metrics.ts"].map(read).join("");
  expect(GRAFANA.length).toBeGreaterThan(10);
  expect(GRAFANA.filter((name) => !told.includes(`"${name}"`))).toEqual([]);
});

test("the dashboard for Grafana shows each metric that an alert is about", () => {
  const alerts = metricsIn("docs/operations.md", /^\|.*$/gm);
  expect(alerts.length).toBeGreaterThan(5);
  expect(alerts.filter((name) => !GRAFANA.includes(name))).toEqual([]);
});

/** @param lines the parts of the file that count; all of it by default */
function metricsIn(path: string, lines = /^.*$/gm): string[] {
  const text = (read(path).match(lines) ?? []).join("\n");
  return [...new Set(text.match(/evenkeel_\w+/g))];
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}
