import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { NAVIGATION } from "./addresses.ts";
import { findPage } from "./registry.ts";

test("the navigation painted before any script is the navigation of the registry", () => {
  const html = readFileSync(`${import.meta.dirname}/../index.html`, "utf8");
  const painted = [...html.matchAll(/class="nav-link" href="#\/(\w*)">([^<]+)</g)].map(([, page, title]) => [
    page,
    title,
  ]);

  expect(painted).toEqual(NAVIGATION.map(({ page, title }) => [page === "overview" ? "" : page, title]));
});

test("a run has a page of its own, mounted anew for each id", () => {
  expect(findPage("runs", undefined)?.title).toBe("Runs");
  expect([findPage("runs", "r1")?.title, findPage("runs", "r1")?.key]).toEqual(["Run", "runs/r1"]);
});

test("the chat stays mounted when its first message gives it an id", () => {
  expect(findPage("chat", "t1")?.key).toBe(findPage("chat", undefined)?.key);
});

test("a name that every object has is no page", () => {
  expect(findPage("constructor", undefined)).toBeUndefined();
});
