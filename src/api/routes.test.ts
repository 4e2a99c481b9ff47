import { expect, test } from "vitest";
import { z } from "zod";
import { createRouter } from "../worker/app.ts";
import type { WorkerDeps } from "../worker/context.ts";
import { koaPath } from "../worker/serve.ts";
import { expectedOf, innerOf } from "./check.ts";
import { matcherOf } from "./match.ts";
import { ROUTES } from "./routes.ts";

/** Making the routes reads only the settings and agents; the rest is needed only for requests. */
const DEPS = { settings: {}, agents: new Map(), delivery: {} } as unknown as WorkerDeps;

test("the worker serves the routes of the contract, and no others", () => {
  const served = createRouter(DEPS).stack.flatMap(({ path, methods }) =>
    // /ws answers every method, to say how to open it.
    (methods.length > 3 ? ["GET"] : methods.filter((method) => method !== "HEAD")).map((method) => `${method} ${path}`),
  );

  expect(served.toSorted()).toEqual(ROUTES.map(({ method, path }) => `${method} ${koaPath(path)}`).toSorted());
});

test("no field of a request is refused with a sentence that says nothing", () => {
  const fields = ROUTES.flatMap(({ method, path, query, headers, body }) =>
    [query, headers, body].flatMap((schema) =>
      fieldsOf(schema).map(([name, field]) => [`${method} ${path} ${name}`, field]),
    ),
  ) as [string, z.ZodType][];

  expect(fields.length).toBeGreaterThan(20);
  expect(fields.filter(([, field]) => expectedOf(field) === "something else").map(([name]) => name)).toEqual([]);
});

test("an API route knows its query parameters, so that a misspelt one is refused", () => {
  const careless = ROUTES.filter(({ path, query }) => path.startsWith("/api/") && query === undefined);

  expect(careless).toEqual([]);
});

test.each([
  ["/api/runs/x", true],
  ["/api/runs/x?y=1", true],
  ["/api/runs/", false],
  ["/api/runs/x/y", false],
  ["/api/runs?/x", false],
  ["/xapi/runs/x", false],
])("a request for %s is for /api/runs/{run_id}: %s", (url, isFor) => {
  const matches = matcherOf({ method: "GET", path: "/api/runs/{run_id}" });

  expect(matches("GET", url)).toBe(isFor);
  expect(matches("HEAD", url)).toBe(isFor);
  expect(matches("POST", url)).toBe(false);
});

function fieldsOf(schema: z.ZodType | undefined): [string, z.ZodType][] {
  if (schema instanceof z.ZodObject) return Object.entries(schema.shape) as [string, z.ZodType][];
  const inner = schema && innerOf(schema);
  return inner ? fieldsOf(inner) : [];
}
