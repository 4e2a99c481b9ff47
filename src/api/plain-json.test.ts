/** What no body and no frame may hold, and how fast that is found out. */
import { expect, test } from "vitest";
import { assertPlain } from "./plain-json.ts";

function nested(levels: number, open: string, close: string): object {
  return JSON.parse(`{"metadata":${open.repeat(levels)}1${close.repeat(levels)}}`) as object;
}

test.each([
  [{ message: "half \ud83d" }, "Expected `message` to be text without half a surrogate pair, got "],
  [{ metadata: { a: [1, { b: "\udc00" }] } }, "Expected `metadata.a[1].b` to be text without"],
  [{ metadata: { "\ud800": 1 } }, "Expected `metadata.\ufffd` to be text without"],
  [{ tags: ["fine", "\udfff\ud800"] }, "Expected `tags[1]` to be text without"],
  [nested(200_000, "[", "]"), "Expected `metadata` to be nested at most 200 levels deep."],
  [nested(200_000, '{"a":', "}"), "Expected `metadata` to be nested at most 200 levels deep."],
  [nested(201, "[", "]"), "Expected `metadata` to be nested at most 200 levels deep."],
])("body %# is refused, and the place is named", (body, sentence) => {
  expect(() => assertPlain(body)).toThrow(sentence);
});

test.each([
  { message: "whole 😀", metadata: { a: [null, true, 1.5, ""], "😀": {} } },
  nested(200, "[", "]"),
  nested(200, '{"a":', "}"),
])("body %# is taken", (body) => {
  expect(() => assertPlain(body)).not.toThrow();
});

test("a megabyte of small values costs some milliseconds", () => {
  const body = { list: Array.from({ length: 250_000 }, () => "ab") };
  const started = performance.now();

  assertPlain(body);

  // [20 to 40 here]
  expect(performance.now() - started).toBeLessThan(500);
});
