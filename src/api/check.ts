/**
 * Checks what a client sent against the contract. A refusal is one sentence: the field, what it has to be, and what
 * came. Called by the worker for bodies, queries, headers and the frames of `/ws`.
 */
import { z } from "zod";
import { AppError } from "../core/errors.ts";
import { EXPECTED } from "./fields.ts";

/** What a refusal calls the values that are checked. */
export type Noun = "field" | "query parameter" | "header";

const MAX_SHOWN_CHARACTERS = 100;

/** @throws AppError INVALID_REQUEST */
export function check<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  noun: Noun = "field",
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { issues } = result.error;
  // An unknown field explains a missing one: often it is the missing field, misspelt.
  const told = issues.map((issue) => ofOption(issue, value));
  const issue = told.find(({ code }) => code === "unrecognized_keys") ?? told[0];
  if (issue === undefined) throw new Error("A schema refused a value and did not say why.");
  if (issue.code === "unrecognized_keys") throw unknownName(schema, value, { issue, noun });
  throw invalid(nameOf(issue.path), expectedOf(schemaAt(schema, issue.path, value)), valueAt(value, issue.path));
}

/** For a union of text and list: when a list came, the problem inside the list. */
function ofOption(issue: z.core.$ZodIssue, value: unknown): z.core.$ZodIssue {
  if (issue.code !== "invalid_union" || !Array.isArray(valueAt(value, issue.path))) return issue;
  const [inner] = issue.errors.find(([first]) => first && first.path.length > 0) ?? [];
  return inner ? ofOption({ ...inner, path: [...issue.path, ...inner.path] }, value) : issue;
}

/** The refusal of one value. */
export function invalid(name: string, expected: string, got: unknown): AppError {
  const shown = got === undefined ? "nothing" : JSON.stringify(got).slice(0, MAX_SHOWN_CHARACTERS);
  return new AppError("INVALID_REQUEST", `Expected \`${name}\` to be ${expected}, got ${shown}.`);
}

/** An unknown field is a typo, or a wish that would not be granted. */
function unknownName(
  schema: z.ZodType,
  value: unknown,
  { issue: { path, keys }, noun }: { issue: z.core.$ZodIssueUnrecognizedKeys; noun: Noun },
): AppError {
  const known = knownNames(schemaAt(schema, path, value), valueAt(value, path)).map((name) => `\`${name}\``);
  const name = nameOf([...path, (keys[0] ?? "").slice(0, MAX_SHOWN_CHARACTERS)]);
  const choices = known.length > 0 ? `known are ${known.join(", ")}` : "none is known here";
  return new AppError("INVALID_REQUEST", `There is no ${noun} ${JSON.stringify(name)}; ${choices}.`);
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
  if (schema instanceof z.ZodArray) return "a list";
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
  if (EXPECTED.has(schema) && !(schema instanceof z.ZodObject)) return schema;
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
