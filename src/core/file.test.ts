import { expect, test } from "vitest";
import { mediaTypeOf } from "./file.ts";

const bytes = (text: string) => Uint8Array.from(text, (character) => character.codePointAt(0) ?? 0);

test.each([
  ["\x89PNG\r\n\x1a\n....", "image/png"],
  ["\xff\xd8\xff\xe0....", "image/jpeg"],
  ["GIF89a....", "image/gif"],
  ["RIFF\x01\x02\x03\x04WEBPVP8 ", "image/webp"],
  ["%PDF-1.7\n", "application/pdf"],
  ["Notes\n\tof today\r\n", "text/plain"],
])("the first bytes %j are %s", (head, type) => {
  expect(mediaTypeOf(bytes(head))).toBe(type);
});

test("a character that is cut off at the end of the head is still text", () => {
  expect(mediaTypeOf(new TextEncoder().encode("caf\u00e9").slice(0, -1))).toBe("text/plain");
});

test.each([["\0\x01\x02"], ["MZ\x90\0"], [""], ["\xff\xfe"], ["a\x1bb"]])(
  "the first bytes %j are no file for a model",
  (head) => {
    expect(mediaTypeOf(bytes(head))).toBeUndefined();
  },
);
