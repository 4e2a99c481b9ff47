import { array, assert, constantFrom, property } from "fast-check";
import { expect, test } from "vitest";
import { decodeText, encode, encodeText } from "./text.ts";

const pieces = array(constantFrom("\0", "\u001A", "0", "a", "😀", "")).map((parts) => parts.join(""));

test("any text comes back as it was, and nothing of it is U+0000 meanwhile", () => {
  assert(
    property(pieces, (text) => {
      expect(encodeText(text)).not.toContain("\0");
      expect(decodeText(encodeText(text))).toBe(text);
    }),
  );
});

test("lists are encoded one by one, and what is no text stays", () => {
  expect(encode(["a\0", null])).toEqual([encodeText("a\0"), null]);
  expect(encode([1, 2])).toEqual([1, 2]);
  expect(encode(null)).toBeNull();
});
