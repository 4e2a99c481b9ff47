/**
 * The kinds of fields in requests. Where its type and bounds do not say it well enough, a field says in words what it
 * expects, for the sentence that refuses anything else (`check.ts`).
 */
import { z } from "zod";
import { CLIENT_ID } from "../core/id.ts";
import { DEFAULT_PAGE_ROWS, MAX_METADATA_CHARACTERS, MAX_PAGE_ROWS, MAX_SCHEMA_CHARACTERS } from "../core/limits.ts";

/**
 * What a schema expects, in words that follow "to be". Not part of zod's own metadata, because that goes into OpenAPI.
 */
export const EXPECTED = z.registry<{ readonly expected: string }>();

export function expecting<Schema extends z.ZodType>(schema: Schema, expected: string): Schema {
  EXPECTED.add(schema, { expected });
  return schema;
}

/** A string of 1 to `max` characters. */
export function text(max: number): z.ZodString {
  return expecting(z.string().min(1).max(max), `a string of 1 to ${max} characters`);
}

export function wholeNumber(min: number, max: number): z.ZodInt {
  return expecting(z.int().min(min).max(max), `a whole number from ${min} to ${max}`);
}

/** An id that the client may choose. */
export function chosenId(): z.ZodString {
  return expecting(z.string().regex(CLIENT_ID), "1 to 128 letters, digits and . _ : - (the first a letter or digit)");
}

/** A position in a list or journal. */
export function position(): z.ZodInt {
  return wholeNumber(0, Number.MAX_SAFE_INTEGER);
}

/** Null means "not given", as generated clients send it. */
export function orNull<Schema extends z.ZodType>(schema: Schema) {
  return schema.nullish();
}

/** Data that a client keeps with a run. */
export function metadata() {
  return expecting(
    z.record(z.string(), z.unknown()).refine((value) => JSON.stringify(value).length <= MAX_METADATA_CHARACTERS),
    `a JSON object of at most ${MAX_METADATA_CHARACTERS} characters`,
  );
}

/** The JSON schema of a reply. It goes to the model with each call, so it is short. */
export function jsonSchema() {
  return expecting(
    z.record(z.string(), z.unknown()).refine((value) => JSON.stringify(value).length <= MAX_SCHEMA_CHARACTERS),
    `a JSON schema of at most ${MAX_SCHEMA_CHARACTERS} characters`,
  );
}

/** How a stream shows the runs that its run delegates. */
export const SUBAGENTS = expecting(z.literal("inline"), '"inline"').describe(
  "The stream also carries the events of delegated runs, as AG-UI SUBAGENT events.",
);

/** `limit` and `before`, which every list takes. */
export const PAGE = {
  limit: wholeNumber(1, MAX_PAGE_ROWS)
    .default(DEFAULT_PAGE_ROWS)
    .describe("The maximum number of rows. A page may have fewer and not be the last: `next` says whether it is."),
  before: position().optional().describe("Only rows before this position. Send the `next` of the previous page."),
};

/** `next` of a page. */
export const NEXT = z.int().nullable().describe("Send this as `before` to get the following page. Null at the end.");

export const EPOCH_MS = z.int().describe("Milliseconds since the epoch.");
