import { expect, test } from "vitest";
import { problemOfSchema } from "./asked.ts";

const text = { type: "string" };
const evil = { type: "string", pattern: "(a+)+$" };

test.each([
  ["a property of that name", { type: "object", properties: { pattern: text, patternProperties: text } }],
  ["one that is required", { type: "object", properties: { pattern: text }, required: ["pattern"] }],
  ["one in a list", { type: "array", items: { type: "object", properties: { pattern: text } } }],
  ["a definition", { $defs: { pattern: text }, type: "object", properties: { a: { $ref: "#/$defs/pattern" } } }],
  ["data", { type: "object", properties: { a: { enum: ["x"], default: "x", examples: [{ pattern: "x" }] } } }],
  ["words", { type: "string", description: 'not "pattern": it is a word' }],
])("a schema may have `pattern` as %s", (_what, schema) => {
  expect(problemOfSchema(schema)).toBeUndefined();
});

test.each([
  ["itself", evil],
  ["a property", { type: "object", properties: { a: evil } }],
  ["a property that is named like a keyword", { type: "object", properties: { default: evil } }],
  ["a property that is named like a list of names", { type: "object", properties: { properties: evil } }],
  ["a list", { type: "array", items: evil }],
  ["a choice", { anyOf: [text, evil] }],
  ["a definition", { $defs: { enum: evil }, type: "object", properties: { a: { $ref: "#/$defs/enum" } } }],
  ["other keys", { type: "object", additionalProperties: evil }],
])("the keyword `pattern` is refused in %s", (_what, schema) => {
  expect(problemOfSchema(schema)).toBe("a JSON schema without `pattern`");
});

test("the names of properties may be no patterns either", () => {
  expect(problemOfSchema({ type: "object", patternProperties: { "(a+)+$": text } })).toContain("`patternProperties`");
});

test("a schema that is nested too deeply to be read is refused, and not an error of the server", () => {
  let schema: Record<string, unknown> = text;
  for (let depth = 0; depth < 100_000; depth += 1) schema = { type: "array", items: schema };

  expect(problemOfSchema(schema)).toMatch(/^a JSON schema \(/);
});
