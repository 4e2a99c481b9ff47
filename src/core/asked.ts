/**
 * The fields by which a request may change its own run, where the agent's `accepts` allows it. They are not stored as
 * turns of the thread.
 */
import { z } from "zod";

export const ACCEPTABLE = ["extra_context", "instructions", "response_format"] as const;
export interface ResponseFormat {
  readonly type: "json_schema";
  readonly schema: Readonly<Record<string, unknown>>;
}

export interface Asked {
  /** Facts for the answer. */
  readonly extra_context?: string;
  /** Instructions for the answer. */
  readonly instructions?: string;
  /** The form that the reply must have. */
  readonly response_format?: ResponseFormat;
  /** Nobody waits for the reply: when the model limits calls, these go behind those of other runs. */
  readonly background?: true;
}

/** A client's regular expression would run against the model's text, and a bad one could run for ever. */
const REFUSED_KEYWORDS = ["pattern", "patternProperties"];
/** Below these keywords come names that the client chose, each with a schema. */
const NAMED_SCHEMAS: ReadonlySet<string> = new Set(["properties", "$defs", "definitions", "dependentSchemas"]);
/** Below these keywords comes data. */
const DATA: ReadonlySet<string> = new Set(["default", "const", "enum", "examples"]);

/** @returns why the schema cannot be used, in words that follow "to be"; undefined when it can */
export function problemOfSchema(schema: ResponseFormat["schema"]): string | undefined {
  try {
    const refused = refusedIn(schema);
    if (refused) return `a JSON schema without \`${refused}\``;
    z.fromJSONSchema(schema);
    return undefined;
  } catch (error) {
    return `a JSON schema (${error instanceof Error ? error.message : "it cannot be read"})`;
  }
}

/** @returns the first keyword in the schema, or in a schema within it, that is refused */
function refusedIn(schema: unknown): string | undefined {
  if (typeof schema !== "object" || schema === null) return undefined;
  if (Array.isArray(schema)) return firstOf(schema);
  for (const [keyword, value] of Object.entries(schema)) {
    if (REFUSED_KEYWORDS.includes(keyword)) return keyword;
    if (DATA.has(keyword)) continue;
    const isNamed = NAMED_SCHEMAS.has(keyword) && typeof value === "object" && value !== null;
    const refused = isNamed ? firstOf(Object.values(value)) : refusedIn(value);
    if (refused) return refused;
  }
  return undefined;
}

function firstOf(schemas: readonly unknown[]): string | undefined {
  for (const schema of schemas) {
    const refused = refusedIn(schema);
    if (refused) return refused;
  }
  return undefined;
}
