/** What no body and no frame may contain, and how fast the check finds it. */
import { expect, test } from "vitest";
import { assertPlain } from "./plain-json.ts";

const nested = (levels: number, open: string, close: string): string =>
  `{"metadata":${open.repeat(levels)}1${close.repeat(levels)}}`;

test.each([
  [String.raw`{"message":"half \ud83d"}`, "Expected `message` to be text without half a surrogate pair, got "],
  [String.raw`{"metadata":{"a":[1,{"b":"\uDC00"}]}}`, "Expected `metadata.a[1].b` to be text without"],
  [String.raw`{"metadata":{"\ud800":1}}`, "Expected `metadata.\ufffd` to be text without"],
  [String.raw`{"tags":["fine","\udfff\ud800"]}`, "Expected `tags[1]` to be text without"],
  [nested(200_000, "[", "]"), "Expected `metadata` to be nested at most 200 levels deep."],
  [nested(200_000, '{"a":', "}"), "Expected `metadata` to be nested at most 200 levels deep."],
  [nested(201, "[", "]"), "Expected `metadata` to be nested at most 200 levels deep."],
])("body %# is refused, and the place is named", (json, sentence) => {
  expect(() => assertPlain(JSON.parse(json) as object, json)).toThrow(sentence);
});

test.each([
  String.raw`{"message":"whole 😀 \ud83d\ude00 \\ud83d","metadata":{"a":[null,true,1.5,""],"😀":{}}}`,
  `{"message":"${"[{".repeat(500)} \\" ${"[".repeat(500)}"}`,
  nested(200, "[", "]"),
  nested(200, '{"a":', "}"),
])("body %# is taken", (json) => {
  expect(() => assertPlain(JSON.parse(json) as object, json)).not.toThrow();
});

test("a megabyte of small values costs some milliseconds of CPU", () => {
  const json = JSON.stringify({ list: Array.from({ length: 120_000 }, () => ["ab"]) });
  const body = JSON.parse(json) as object;
  const started = performance.now();

  assertPlain(body, json);

  // [2 ms on this machine.]
  expect(performance.now() - started).toBeLessThan(200);
});
