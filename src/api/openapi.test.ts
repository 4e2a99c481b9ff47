import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { VERSION } from "../version.ts";
import { openApi } from "./openapi.ts";
import { ROUTES } from "./routes.ts";

const DOCUMENT = openApi(VERSION);

test("docs/openapi.json is what the contract makes; `npm run openapi` writes it anew", () => {
  expect(JSON.parse(readFileSync("docs/openapi.json", "utf8"))).toEqual(DOCUMENT);
});

test("every reference of the document leads to a shape", () => {
  const { schemas } = DOCUMENT["components"] as { schemas: Record<string, unknown> };
  const named = [...JSON.stringify(DOCUMENT).matchAll(/"\$ref":"([^"]+)"/g)].map(([, target = ""]) => target);

  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((target) => !(target.replace("#/components/schemas/", "") in schemas))).toEqual([]);
});

test("the document has an operation for each route, under an id of its own", () => {
  const operations = Object.values(DOCUMENT["paths"] as object).flatMap((path) => Object.values(path as object));
  const ids = operations.map(({ operationId }: { operationId: string }) => operationId);

  expect(operations).toHaveLength(ROUTES.length);
  expect(new Set(ids).size).toBe(ids.length);
});
