/**
 * Programs that tests need and npm has not: redis-server, nginx, caddy, pgbouncer. Taken from the PATH, else from where
 * `.ci/programs` puts them. A test without its program is skipped, and not-run-reporter.ts names the test at the end.
 */
import { accessSync, constants } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import type { TestOptions } from "vitest";

const BROUGHT = resolve(import.meta.dirname, "../../node_modules/.cache/programs/bin");

declare module "vitest" {
  interface TaskMeta {
    /** The programs for lack of which the test was not run. */
    lacks?: readonly string[];
  }
}

/** @returns the program's path, undefined where it is missing */
export function findProgram(name: string): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter).filter(Boolean);
  return [...folders, BROUGHT].map((folder) => join(folder, name)).find(isExecutable);
}

/** @throws Error when the program is missing: for tests that `needs` has let through */
export function program(name: string): string {
  const path = findProgram(name);
  if (path === undefined) throw new Error(`${name} is missing. Run .ci/programs.`);
  return path;
}

/** Options of a test or a suite, as in `test("a title", needs("nginx"), async () => {})`. */
export function needs(...names: readonly string[]): TestOptions {
  const lacks = names.filter((name) => findProgram(name) === undefined);
  return lacks.length > 0 ? { skip: true, meta: { lacks } } : {};
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
