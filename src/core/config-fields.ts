/**
 * How a config file is described: each field is one zod schema and one sentence that says what the value has to be.
 * Defaults are part of the schema, unknown keys are refused by name, and all mistakes are found, not only the first.
 * Used by `agent.ts`; pure.
 */
import { z } from "zod";

/** Timers take no more than 2^31 - 1 ms. */
const MAX_NUMBER = 2_147_483_647;

/** @param expected follows "expected `field`", for example "to be a list of names" */
export function field<Schema extends z.ZodType>(schema: Schema, expected: string) {
  return z.custom<z.output<Schema>>((value) => schema.safeParse(value).success, { error: expected });
}

export function text(expected: string) {
  return field(z.string().min(1), expected);
}

export function flag() {
  return field(z.boolean(), "to be true or false");
}

export function listOf(what: string) {
  return field(z.array(z.string().min(1)).readonly(), `to be a list of ${what}`);
}

export function wholeNumber({ min = 1, max = MAX_NUMBER }: { min?: number; max?: number } = {}) {
  return field(z.int().min(min).max(max), `to be a whole number from ${min} to ${max}`);
}

/** An object with exactly these fields. */
export function section<Shape extends z.ZodRawShape>(shape: Shape) {
  const names = Object.keys(shape).join(", ");
  return z.strictObject(shape, {
    // `sentence()` uses this text and adds the names of the unknown keys.
    error: (issue) => (issue.code === "unrecognized_keys" ? `it knows ${names}` : `to be an object of ${names}`),
  });
}

/** One sentence per mistake, to follow the word "expected". */
export function problemsIn(schema: z.ZodType, value: unknown): string[] {
  const { error } = schema.safeParse(value);
  return error?.issues.flatMap((issue) => sentences(issue, value)) ?? [];
}

function sentences(issue: z.core.$ZodIssue, value: unknown): string[] {
  const at = issue.path.map(String);
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => `no \`${[...at, key].join(".")}\`; ${issue.message}`);
  const name = at.length > 0 ? `\`${at.join(".")}\`` : "it";
  return [`${name} ${issue.message}, got ${shown(valueAt(value, issue.path))}`];
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => (typeof inner === "object" && inner !== null ? Reflect.get(inner, key) : undefined),
    value,
  );
}

/** A config file is code, so a value may be anything, also a value that JSON cannot represent. */
function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  const isPlain = typeof value !== "number" && typeof value !== "bigint" && typeof value !== "function";
  try {
    return (isPlain ? JSON.stringify(value) : String(value)).slice(0, 100);
  } catch {
    return "something that is no data";
  }
}

/** The limit of a budget. */
export const CAP = section({
  tokens: wholeNumber({ max: Number.MAX_SAFE_INTEGER }).optional(),
  /** US dollars, calculated with the agent's price. */
  dollars: field(z.number().positive(), "to be a number above 0").optional(),
});
