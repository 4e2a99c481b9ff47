/**
 * What clients send: bodies and query parameters, read and checked. Every refusal says what to send
 * instead. Called by the routes.
 */
import { parse as parseContentType } from "content-type";
import type { IncomingMessage } from "node:http";
import { getRawBody } from "raw-body";
import { AppError } from "../core/errors.ts";

const MAX_BODY_BYTES = 1024 * 1024;
const EXAMPLE = 'for example {"agent_id":"assistant","message":"Hello"}';

export type JsonObject = Readonly<Record<string, unknown>>;

/** @throws AppError UNSUPPORTED_MEDIA_TYPE, BODY_TOO_LARGE or INVALID_JSON */
export async function readJson(request: IncomingMessage): Promise<JsonObject> {
  assertJsonType(request);
  const value = parseJson(await readBody(request));
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw new AppError("INVALID_REQUEST", `Expected the body to be a JSON object, ${EXAMPLE}.`);
}

// A form post or text/plain needs no CORS preflight: accepting JSON in one would let any web page send it.
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

async function readBody(request: IncomingMessage): Promise<Buffer> {
  try {
    return await getRawBody(request, { limit: MAX_BODY_BYTES, length: request.headers["content-length"] ?? null });
  } catch (error) {
    const type = typeof error === "object" && error !== null && "type" in error ? error.type : undefined;
    if (type === "entity.too.large") {
      throw new AppError("BODY_TOO_LARGE", `Expected a body of at most ${MAX_BODY_BYTES} bytes.`, { cause: error });
    }
    throw new AppError("INVALID_REQUEST", "The body ended before all of it came.", { cause: error });
  }
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (error) {
    const reason = error instanceof Error ? ` (${error.message})` : "";
    throw new AppError("INVALID_JSON", `Expected the body to be JSON in UTF-8, ${EXAMPLE}${reason}.`, { cause: error });
  }
}

export function invalid(name: string, expected: string, got: unknown): AppError {
  const shown = got === undefined ? "nothing" : JSON.stringify(got).slice(0, 100);
  return new AppError("INVALID_REQUEST", `Expected \`${name}\` to be ${expected}, got ${shown}.`);
}

/**
 * A field that nobody reads is a typo, or a wish that would not be granted.
 * @throws AppError INVALID_REQUEST
 */
export function assertKnown(fields: JsonObject, known: readonly string[]): void {
  const unknown = Object.keys(fields).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const choices = known.map((name) => `\`${name}\``).join(", ");
  throw new AppError(
    "INVALID_REQUEST",
    `There is no field ${JSON.stringify(unknown.slice(0, 100))}; known are ${choices}.`,
  );
}

/** A whole number from a query string or header. @throws AppError INVALID_REQUEST */
export function readNumber(name: string, value: string, { min, max }: { min: number; max: number }): number {
  const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (number >= min && number <= max) return number;
  throw invalid(name, `a whole number from ${min} to ${max}`, value);
}

/** One query parameter, given at most once. */
export function param(query: URLSearchParams, name: string): string | undefined {
  const values = query.getAll(name);
  if (values.length > 1) throw invalid(name, "given once", values);
  return values[0];
}

export interface PageQuery {
  readonly limit: number;
  readonly before?: number;
}

const MAX_LIMIT = 500;

/** `limit` and `before`, as every list takes them. */
export function readPage(query: URLSearchParams): PageQuery {
  const limit = param(query, "limit");
  const before = param(query, "before");
  return {
    limit: limit === undefined ? 50 : readNumber("limit", limit, { min: 1, max: MAX_LIMIT }),
    ...(before !== undefined && { before: readPosition("before", before) }),
  };
}

/** A position in a list or journal. */
export function readPosition(name: string, value: string): number {
  return readNumber(name, value, { min: 0, max: Number.MAX_SAFE_INTEGER });
}

export function readChoice<const T extends string>(name: string, value: unknown, choices: readonly T[]): T {
  const chosen = choices.find((choice) => choice === value);
  if (chosen !== undefined) return chosen;
  throw invalid(name, `one of ${choices.map((choice) => `"${choice}"`).join(", ")}`, value);
}
