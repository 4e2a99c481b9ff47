/**
 * Reads what clients send, by the schemas of the contract: bodies, query parameters, headers. A refusal says what to
 * send instead. Called by `serve.ts` and the fast lane.
 */
import { parse as parseContentType } from "content-type";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { z } from "zod";
import { check, fieldsOf, innerOf, invalid } from "../api/check.ts";
import { assertPlain } from "../api/plain-json.ts";
import { AppError } from "../core/errors.ts";

/**
 * The body, not yet checked. @param schema names the fields in a refusal
 * @throws AppError UNSUPPORTED_MEDIA_TYPE, INVALID_JSON or INVALID_REQUEST, and what
 * `readBytes` throws
 */
export async function readJson(
  schema: z.ZodType,
  { request, readBytes }: { readonly request: IncomingMessage; readonly readBytes: () => Promise<Buffer> },
): Promise<Readonly<Record<string, unknown>>> {
  assertJsonType(request);
  const { given, json } = parseJson(await readBytes());
  if (isObject(given)) {
    assertPlain(given, json);
    return given;
  }
  throw new AppError("INVALID_REQUEST", `Expected the body to be a JSON object${fieldsOf(schema)}.`);
}

/** @throws AppError INVALID_REQUEST */
export function readQuery<Schema extends z.ZodObject>(schema: Schema, params: URLSearchParams): z.output<Schema> {
  const given: Record<string, unknown> = {};
  for (const name of new Set(params.keys())) {
    const values = params.getAll(name);
    // A parameter that the schema does not know is ignored or refused, however often it comes.
    if (values.length > 1 && Object.hasOwn(schema.shape, name)) throw invalid(name, "given once", values);
    given[name] = asTyped(schema.shape[name], values[0]);
  }
  return check(schema, given, "query parameter");
}

/** Reads only the headers that the schema names. @throws AppError INVALID_REQUEST */
export function readHeaders<Schema extends z.ZodObject>(
  schema: Schema,
  headers: IncomingHttpHeaders,
): z.output<Schema> {
  const names = Object.keys(schema.shape).filter((name) => headers[name] !== undefined);
  const given = Object.fromEntries(names.map((name) => [name, asTyped(schema.shape[name], headers[name])]));
  return check(schema, given, "header");
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Queries and headers are text: where a number or boolean is expected, such a text becomes one; the schema refuses the
 * rest.
 */
function asTyped(schema: unknown, value: unknown): unknown {
  if (typeof value !== "string") return value;
  const type = typeOf(schema as z.ZodType | undefined);
  if (type === "number" && /^\d{1,16}$/.test(value)) return Number(value);
  return type === "boolean" && /^(true|false)$/.test(value) ? value === "true" : value;
}

function typeOf(schema: z.ZodType | undefined): string | undefined {
  const inner = schema && innerOf(schema);
  return inner ? typeOf(inner) : schema?.def.type;
}

// A form post or text/plain needs no CORS preflight: if we accepted JSON in one, any web page could send it.
function assertJsonType({ headers }: IncomingMessage): void {
  const given = headers["content-type"] ?? "";
  if (mediaTypeOf(given) !== "application/json") {
    throw new AppError("UNSUPPORTED_MEDIA_TYPE", `Expected \`Content-Type: application/json\`, got "${given}".`);
  }
  const encoding = headers["content-encoding"] ?? "identity";
  if (encoding !== "identity") {
    throw new AppError("UNSUPPORTED_MEDIA_TYPE", `Expected a body without Content-Encoding, got "${encoding}".`);
  }
}

function mediaTypeOf(header: string): string | undefined {
  try {
    return parseContentType(header).type.toLowerCase();
  } catch {
    return undefined;
  }
}

function parseJson(body: Buffer): { given: unknown; json: string } {
  try {
    const json = new TextDecoder("utf-8", { fatal: true }).decode(body);
    return { given: JSON.parse(json), json };
  } catch (error) {
    const reason = error instanceof Error ? ` (${error.message})` : "";
    throw new AppError("INVALID_JSON", `Expected the body to be JSON in UTF-8${reason}.`, { cause: error });
  }
}
