/**
 * Checks what a client sent against the contract. A refusal is a sentence for each mistake: the field, what it has to
 * be, and what came. Called by the worker for bodies, queries, headers and the frames of `/ws`.
 */
import { z } from "zod";
import { AppError } from "../core/errors.ts";
import { EXPECTED } from "./fields.ts";

/** What a refusal calls the values that are checked. */
export type Noun = "field" | "query parameter" | "header";

const MAX_SHOWN_CHARACTERS = 100;
/** A refusal names at most this many mistakes. */
const MAX_SHOWN_MISTAKES = 10;
/**
 * A body of more values is checked up to its first mistake. [A mistake costs some microseconds, also when it is not
 * shown: a body of 1 MiB that held 500,000 of them blocked the worker for 0.5 to 2 s, and 25,000 take 25 to 100 ms.]
 */
const MAX_VALUES = 25_000;

/** @throws AppError INVALID_REQUEST that names each mistake */
export function check<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  noun: Noun = "field",
): z.output<Schema> {
  const abortEarly = countOf(value, MAX_VALUES) > MAX_VALUES;
  // The types of zod name `abortEarly` only for its own functions.
  const result = schema.safeParse(value, { abortEarly } as z.core.ParseContext<z.core.$ZodIssue>);
  if (result.success) return result.data;
  const { issues } = result.error;
  // An unknown field explains a missing one: often it is the missing one, misspelt. So it is named first.
  const ordered = [...issues.filter(isOfUnknown), ...issues.filter((issue) => !isOfUnknown(issue))];
  const sentences = sentencesOf(schema, value, { issues: ordered, noun });
  if (abortEarly) sentences.push("There may be more mistakes.");
  throw new AppError("INVALID_REQUEST", sentences.join(" "));
}

/** How many values are in a value of JSON; any number above `limit` when there are more. */
function countOf(value: unknown, limit: number): number {
  if (typeof value !== "object" || value === null) return 1;
  // `for … in` makes all names of a long list first. [20 ms for 500,000.]
  if (Array.isArray(value) && value.length > limit) return value.length;
  let count = 1;
  for (const key in value) {
    if (count > limit) return count;
    count += countOf(Reflect.get(value, key), limit - count);
  }
  return count;
}

function isOfUnknown({ code }: z.core.$ZodIssue): boolean {
  return code === "unrecognized_keys";
}

/** A sentence for each mistake. Stops early, because a body of 1 MiB may have a mistake at every second byte. */
function sentencesOf(
  schema: z.ZodType,
  value: unknown,
  { issues, noun }: { readonly issues: readonly z.core.$ZodIssue[]; readonly noun: Noun },
): string[] {
  // A set, because one value may break two rules with the same words.
  const sentences = new Set<string>();
  for (const outer of issues) {
    for (const issue of ofOption(outer, value)) {
      if (sentences.size === MAX_SHOWN_MISTAKES) return [...sentences, "There are more mistakes."];
      sentences.add(sentenceOf(schema, value, { issue, noun }));
    }
  }
  return [...sentences];
}

function sentenceOf(
  schema: z.ZodType,
  value: unknown,
  { issue, noun }: { readonly issue: z.core.$ZodIssue; readonly noun: Noun },
): string {
  const { path } = issue;
  if (issue.code === "unrecognized_keys") return unknownNames(schema, value, { issue, noun });
  return expectation(nameOf(path), expectedOf(schemaAt(schema, path, value)), valueAt(value, path));
}

/** For a union of text and list: when a list came, the problems inside the list. */
function ofOption(issue: z.core.$ZodIssue, value: unknown): readonly z.core.$ZodIssue[] {
  if (issue.code !== "invalid_union" || !Array.isArray(valueAt(value, issue.path))) return [issue];
  const inner = issue.errors.find(([first]) => first && first.path.length > 0);
  if (!inner) return [issue];
  const shown = inner.slice(0, MAX_SHOWN_MISTAKES + 1);
  return shown.flatMap((each) => ofOption({ ...each, path: [...issue.path, ...each.path] }, value));
}

/** The refusal of one value. */
export function invalid(name: string, expected: string, got: unknown): AppError {
  return new AppError("INVALID_REQUEST", expectation(name, expected, got));
}

function expectation(name: string, expected: string, got: unknown): string {
  const shown = got === undefined ? "nothing" : JSON.stringify(got).slice(0, MAX_SHOWN_CHARACTERS);
  return `Expected \`${name}\` to be ${expected}, got ${shown}.`;
}

/** An unknown field is a typo, or a wish that would not be granted. */
function unknownNames(
  schema: z.ZodType,
  value: unknown,
  { issue: { path, keys }, noun }: { issue: z.core.$ZodIssueUnrecognizedKeys; noun: Noun },
): string {
  const known = knownNames(schemaAt(schema, path, value), valueAt(value, path));
  const shown = keys
    .slice(0, MAX_SHOWN_MISTAKES)
    .map((key) => JSON.stringify(nameOf([...path, key.slice(0, MAX_SHOWN_CHARACTERS)])))
    .join(", ");
  const more = keys.length > MAX_SHOWN_MISTAKES ? ` and ${keys.length - MAX_SHOWN_MISTAKES} more` : "";
  const choices = known.length > 0 ? `known are ${quoted(known)}` : "none is known here";
  return `There ${keys.length === 1 ? `is no ${noun}` : `are no ${noun}s`} ${shown}${more}; ${choices}.`;
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(", ");
}

/** `content[0].type` */
function nameOf(path: readonly PropertyKey[]): string {
  const steps = path.map((step) => (typeof step === "number" ? `[${step}]` : `.${String(step)}`));
  return steps.join("").replace(/^\./, "") || "body";
}

/** What a value has to be: as the field itself says, or else as its type says. */
export function expectedOf(schema: z.ZodType): string {
  const said = EXPECTED.get(schema)?.expected;
  if (said !== undefined) return said;
  if (schema instanceof z.ZodEnum) return oneOf(schema.options);
  if (schema instanceof z.ZodLiteral) return oneOf([...schema.values]);
  if (schema instanceof z.ZodBoolean) return "true or false";
  if (schema instanceof z.ZodString) return "a string";
  if (schema instanceof z.ZodNumber) return "a number";
  if (schema instanceof z.ZodArray) return schema.safeParse([]).success ? "a list" : "a list that is not empty";
  if (schema instanceof z.ZodObject || schema instanceof z.ZodRecord || schema instanceof z.ZodDiscriminatedUnion)
    return "a JSON object";
  const [first] = isPlainUnion(schema) ? schema.options : [innerOf(schema)];
  return first ? expectedOf(first) : "something else";
}

function oneOf(values: readonly unknown[]): string {
  return `one of ${values.map((value) => JSON.stringify(value)).join(", ")}`;
}

/** The schema that a path of a refused value leads to. */
function schemaAt(schema: z.ZodType, path: readonly PropertyKey[], value?: unknown): z.ZodType {
  // Words for a union of text and list are not about what is inside the list.
  const isAbout = !(schema instanceof z.ZodObject) && !(isPlainUnion(schema) && path.length > 0);
  if (EXPECTED.has(schema) && isAbout) return schema;
  const inner = innerOf(schema);
  if (inner) return schemaAt(inner, path, value);
  const [step, ...rest] = path;
  if (step === undefined) return schema;
  const next = childOf(schema, step, value);
  return next ? schemaAt(next, rest, valueAt(value, [step])) : schema;
}

function childOf(schema: z.ZodType, step: PropertyKey, value: unknown): z.ZodType | undefined {
  // Only lists have numbered children.
  if (isPlainUnion(schema)) return typeof step === "number" ? listIn(schema)?.element : undefined;
  if (schema instanceof z.ZodObject) return schema.shape[String(step)] as z.ZodType | undefined;
  if (schema instanceof z.ZodArray) return schema.element as z.ZodType;
  if (schema instanceof z.ZodRecord) return schema.valueType as z.ZodType;
  if (!(schema instanceof z.ZodDiscriminatedUnion)) return undefined;
  const { discriminator } = schema.def;
  if (step === discriminator) return z.enum(optionsOf(schema).flatMap(({ shape }) => literalsOf(shape[discriminator])));
  return chosenOption(schema, value)?.shape[String(step)] as z.ZodType | undefined;
}

/** The option of a union that the value names. */
function chosenOption(union: z.ZodDiscriminatedUnion, value: unknown): z.ZodObject | undefined {
  const { discriminator } = union.def;
  const name = String(valueAt(value, [discriminator]));
  return optionsOf(union).find(({ shape }) => literalsOf(shape[discriminator]).includes(name));
}

/** Leaves out discriminated unions, which zod counts as unions, too. */
function isPlainUnion(schema: z.ZodType): schema is z.ZodUnion<readonly z.ZodType[]> {
  return schema instanceof z.ZodUnion && !(schema instanceof z.ZodDiscriminatedUnion);
}

function listIn({ options }: z.ZodUnion<readonly z.ZodType[]>): z.ZodArray<z.ZodType> | undefined {
  return options.find((option) => option instanceof z.ZodArray) as z.ZodArray<z.ZodType> | undefined;
}

/** All options of our discriminated unions are objects. */
function optionsOf(union: z.ZodDiscriminatedUnion): readonly z.ZodObject[] {
  return union.options as readonly z.ZodObject[];
}

function literalsOf(schema: unknown): string[] {
  if (schema instanceof z.ZodLiteral) return [...schema.values].map(String);
  return schema instanceof z.ZodEnum ? schema.options.map(String) : [];
}

/** The schema inside of a schema that wraps it. */
export function innerOf(schema: z.ZodType): z.ZodType | undefined {
  if (schema instanceof z.ZodPipe) return schema.in as z.ZodType;
  const isWrapper =
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodReadonly;
  return isWrapper ? (schema.unwrap() as z.ZodType) : undefined;
}

/** For a body that is no object: the fields that it has to have, or else those that it may have. */
export function fieldsOf(schema: z.ZodType): string {
  const inner = innerOf(schema);
  if (inner) return fieldsOf(inner);
  if (!(schema instanceof z.ZodObject)) return "";
  const names = Object.keys(schema.shape);
  const needed = names.filter((name) => !(schema.shape[name] as z.ZodType).safeParse(undefined).success);
  return needed.length > 0 ? ` with ${quoted(needed)}` : ` with any of ${quoted(names)}`;
}

function knownNames(schema: z.ZodType, value: unknown): string[] {
  const object = schema instanceof z.ZodDiscriminatedUnion ? chosenOption(schema, value) : schema;
  return object instanceof z.ZodObject ? Object.keys(object.shape) : [];
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, step) => (typeof inner === "object" && inner !== null ? Reflect.get(inner, step) : undefined),
    value,
  );
}
