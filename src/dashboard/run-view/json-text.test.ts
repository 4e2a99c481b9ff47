import { expect, test } from "vitest";
import { indentJson } from "./json-text.ts";

test("JSON is indented as JSON.stringify would", () => {
  for (const value of [{}, [], { a: [1, 'x,{}[]:\\"', { b: null }], c: {} }, [[[]], { "": -1.5e3 }], [true, false]]) {
    expect(indentJson(JSON.stringify(value))).toBe(JSON.stringify(value, null, 2));
  }
});

test("numbers keep all their digits", () => {
  expect(indentJson('{"id":12345678901234567890,"x":1.10}')).toBe('{\n  "id": 12345678901234567890,\n  "x": 1.10\n}');
});

test("what is no JSON, or only half of it, stays as it is", () => {
  for (const text of ["", "5", "hello", '{"a":', "[1,]", "{a:1}"]) expect(indentJson(text)).toBe(text);
});

test("absurd nesting stays as it is", () => {
  const text = "[".repeat(5_000) + "]".repeat(5_000);
  expect(indentJson(text)).toBe(text);
});
