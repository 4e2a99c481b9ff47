/**
 * The contract as OpenAPI 3.1: the content of `docs/openapi.json` and of `GET /openapi.json`. `npm run openapi` writes
 * the file; a test fails while the file differs from what this code makes.
 */
import { z } from "zod";
import { statusOf, titleOf, type ErrorCode } from "../core/errors.ts";
import { RUN_EVENT } from "./events.ts";
import { PROBLEM } from "./problem.ts";
import { paramNames, type Answer, type Route } from "./route.ts";
import { ROUTES } from "./routes.ts";
import { CLIENT_FRAMES, SERVER_FRAMES } from "./socket.ts";

type Json = Record<string, unknown>;

/** Request or answer: a field with a default may be missing in a request, but is always in an answer. */
type Direction = "input" | "output";

export function openApi(version: string): Json {
  const shapes = new Shapes();
  const paths: Record<string, Json> = {};
  for (const route of ROUTES) (paths[route.path] ??= {})[route.method.toLowerCase()] = operationOf(route, shapes);
  shapes.name("RunEvent", RUN_EVENT);
  for (const [name, frame] of Object.entries(SERVER_FRAMES)) shapes.name(name, frame);
  for (const [name, frame] of Object.entries(CLIENT_FRAMES)) shapes.name(name, frame, "input");
  return {
    openapi: "3.1.1",
    info: {
      title: "evenkeel",
      version,
      description: "A clustered HTTP server for LLM agents. Errors are problem+json; docs/errors.md has every code.",
    },
    servers: [{ url: "./" }],
    security: [{ key: [] }],
    paths,
    components: { securitySchemes: { key: { type: "http", scheme: "bearer" } }, schemas: shapes.all() },
  };
}

/** Collects the named shapes; the document refers to them by name. */
class Shapes {
  readonly #named = new Map<string, Json>();

  /** @returns the JSON schema, in which named shapes are references */
  of(schema: z.ZodType, io: Direction = "output"): Json {
    const { $schema: _, $defs = {}, ...json } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
    for (const [name, shape] of Object.entries($defs)) this.#keep(name, shape);
    return toComponents(json);
  }

  /** Keeps a shape under this name, even if the shape has no name of its own. */
  name(name: string, schema: z.ZodType, io: Direction = "output"): void {
    const json = this.of(schema, io);
    if (!("$ref" in json)) this.#keep(name, json);
  }

  all(): Json {
    return Object.fromEntries([...this.#named].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  #keep(name: string, shape: Json): void {
    // The key already is the id.
    const { id: _id, ...rest } = shape;
    this.#named.set(name, toComponents(rest));
  }
}

function toComponents(json: Json): Json {
  return JSON.parse(JSON.stringify(json).replaceAll('"#/$defs/', '"#/components/schemas/')) as Json;
}

function operationOf(route: Route, shapes: Shapes): Json {
  const { method, path, access, summary, description, body } = route;
  return {
    operationId: [method.toLowerCase(), ...path.split(/\W+/).filter((word) => word !== "")].join("_"),
    summary,
    ...(description !== undefined && { description }),
    "x-access": access,
    ...(access === "anyone" && { security: [] }),
    parameters: parametersOf(route, shapes),
    ...(body && {
      requestBody: { required: true, content: { "application/json": { schema: shapes.of(body, "input") } } },
    }),
    responses: responsesOf(route, shapes),
  };
}

function parametersOf({ path, query, headers }: Route, shapes: Shapes): Json[] {
  return [
    ...paramNames(path).map((name) => ({ name, in: "path", required: true, schema: { type: "string" } })),
    ...Object.entries(query?.shape ?? {}).map(([name, schema]) => ({
      name,
      in: "query",
      ...parameter(schema, shapes),
    })),
    ...Object.entries(headers?.shape ?? {}).map(([name, schema]) => ({
      name,
      in: "header",
      ...parameter(schema, shapes),
    })),
  ];
}

function parameter(schema: unknown, shapes: Shapes): Json {
  const { description, ...json } = shapes.of(schema as z.ZodType, "input");
  return { required: false, ...(description !== undefined && { description }), schema: json };
}

function responsesOf({ answers, errors = [] }: Route, shapes: Shapes): Json {
  const problem = { "application/problem+json": { schema: shapes.of(PROBLEM) } };
  const byStatus = Object.groupBy(errors, (code) => String(statusOf(code)));
  const failures = Object.entries(byStatus).map(([status, codes = []]) => {
    return [status, { description: codes.map(describe).join("\n"), content: problem }] as const;
  });
  return {
    // If an answer and an error share a status, the document describes the answer.
    ...Object.fromEntries(failures),
    ...Object.fromEntries(Object.entries(answers).map(([status, answer]) => [status, responseOf(answer, shapes)])),
    default: { description: "Any other problem.", content: problem },
  };
}

function describe(code: ErrorCode): string {
  return `${code}: ${titleOf(code)}.`;
}

function responseOf({ description, json, events, media }: Answer, shapes: Shapes): Json {
  const content = {
    ...(json && { "application/json": { schema: shapes.of(json) } }),
    ...(events && { "text/event-stream": { itemSchema: { $ref: `#/components/schemas/${events}` } } }),
    ...(media !== undefined && { [media]: {} }),
  };
  return { description, ...(Object.keys(content).length > 0 && { content }) };
}
